// A ZeroMQ peer that follows no rules of sida's. Connects, sends stdin as one message, and waits a while for an answer,
// which it prints as it is. Its handshake is that of the last argument: "plain": not encrypted; "fresh": with a key
// that nobody knows; else the file of a secret key.
//   stranger ENDPOINT SERVER_PUBLIC_KEY plain|fresh|FILE < MESSAGE
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <zmq.hpp>

#include "common/transport/keys/link_key.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: stranger ENDPOINT SERVER_PUBLIC_KEY plain|fresh|FILE < MESSAGE\n");
    return 2;
  }
  const std::string who = argv[3];
  const std::string message{std::istreambuf_iterator<char>(std::cin), {}};
  zmq::context_t context(1);
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::linger, 0);
  if (who != "plain") {
    std::string secret = sida::transport::make_key_pair().secret_key;
    if (who != "fresh") std::ifstream(who) >> secret;
    socket.set(zmq::sockopt::curve_serverkey, argv[2]);
    socket.set(zmq::sockopt::curve_secretkey, secret);
    socket.set(zmq::sockopt::curve_publickey, sida::transport::public_key_of(secret));
  }
  socket.connect(argv[1]);
  socket.send(zmq::buffer(message), zmq::send_flags::none);
  zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
  zmq::poll(&item, 1, std::chrono::milliseconds(1500));
  zmq::message_t answer;
  if ((item.revents & ZMQ_POLLIN) != 0 && socket.recv(answer)) std::fwrite(answer.data(), 1, answer.size(), stdout);
  return 0;
}
