#include "cli/deployment_check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sida::cli {
namespace {

constexpr std::array kRoles{std::pair{std::string_view("router"), FileRole::kRouter},
                            std::pair{std::string_view("predictor"), FileRole::kPredictor},
                            std::pair{std::string_view("worker"), FileRole::kWorker},
                            std::pair{std::string_view("serve"), FileRole::kServe}};

std::vector<std::string> values_of(const ProcessFile& file, const std::string& key) {
  const auto found = file.values.find(key);
  return found == file.values.end() ? std::vector<std::string>() : found->second;
}

std::string value_of(const ProcessFile& file, const std::string& key) {
  const auto values = values_of(file, key);
  return values.empty() ? "" : values.front();
}

std::string at(const ProcessFile& file, const std::string& key) {
  const auto line = file.lines.find(key);
  return file.path + (line == file.lines.end() ? ": " : ": line " + std::to_string(line->second) + ": ") + key + ": ";
}

// "tcp://HOST:PORT" -> PORT; empty for what is no such thing.
std::string port_of(const std::string& endpoint) {
  if (!endpoint.starts_with("tcp://")) return "";
  const auto colon = endpoint.rfind(':');
  return colon < 6 || colon == std::string::npos ? "" : endpoint.substr(colon + 1);
}

// A host's name and its address may be the same host, so of TCP the ports are compared.
bool reaches(const std::string& endpoint, const std::string& listens) {
  const std::string port = port_of(endpoint);
  return port.empty() ? endpoint == listens : port == port_of(listens);
}

bool is_endpoint(const std::string& text) {
  return text.starts_with("ipc:///") || !port_of(text).empty();
}

class Deployment {
 public:
  explicit Deployment(const std::vector<ProcessFile>& files) : files_(files) {}

  std::vector<std::string> problems() {
    for (const ProcessFile& file : files_) look_at(file);
    look_for_twins(FileRole::kWorker);
    look_for_twins(FileRole::kPredictor);
    look_for_the_forgotten();
    return std::move(problems_);
  }

 private:
  [[nodiscard]] std::vector<const ProcessFile*> of(FileRole role) const {
    std::vector<const ProcessFile*> found;
    for (const ProcessFile& file : files_) {
      if (file.role == role) found.push_back(&file);
    }
    return found;
  }

  void look_at(const ProcessFile& file) {
    if (file.role == FileRole::kWorker || file.role == FileRole::kPredictor) {
      const std::string listens = value_of(file, "listen");
      if (!is_endpoint(listens)) {
        problems_.push_back(at(file, "listen") + "'" + listens + "' is neither ipc:///PATH nor tcp://HOST:PORT");
      }
    }
    if (file.role == FileRole::kRouter) {
      look_at_workers(file);
      look_at_predictors(file);
    }
  }

  void look_at_workers(const ProcessFile& router) {
    std::vector<std::string> names;
    for (const std::string& listed : values_of(router, "worker")) {
      const auto equals = listed.find('=');
      const std::string name = listed.substr(0, equals);
      const std::string endpoint = equals == std::string::npos ? "" : listed.substr(equals + 1);
      if (std::ranges::find(names, name) != names.end()) {
        problems_.push_back(at(router, "worker") + "'" + name + "' is listed twice");
      }
      names.push_back(name);
      if (!is_endpoint(endpoint)) {
        problems_.push_back(at(router, "worker") + "'" + listed + "' is not NAME=ipc:///PATH or NAME=tcp://HOST:PORT");
      } else if (!of(FileRole::kWorker).empty()) {
        look_at_worker(router, name, endpoint);
      }
    }
  }

  void look_at_worker(const ProcessFile& router, const std::string& name, const std::string& endpoint) {
    const auto workers = of(FileRole::kWorker);
    const auto found =
        std::ranges::find_if(workers, [&](const ProcessFile* worker) { return value_of(*worker, "name") == name; });
    if (found == workers.end()) {
      problems_.push_back(at(router, "worker") + "no worker's file has the name '" + name + "'");
      return;
    }
    const std::string listens = value_of(**found, "listen");
    if (!reaches(endpoint, listens)) {
      problems_.push_back(at(router, "worker") + "'" + name + "' listens at " + listens + ", not at " + endpoint);
    }
    const std::string own = value_of(router, "dtype");
    const std::string others = value_of(**found, "dtype");
    if (own != others) {
      problems_.push_back(at(**found, "dtype") + "'" + others + "', but its router's is '" + own +
                          "'; give both the same");
    }
  }

  void look_at_predictors(const ProcessFile& router) {
    const auto predictors = of(FileRole::kPredictor);
    for (const std::string& listed : values_of(router, "predictor-endpoint")) {
      const std::string endpoint = listed.substr(listed.find('=') + 1);  // After the name, if there is one.
      const auto there = [&](const ProcessFile* file) { return reaches(endpoint, value_of(*file, "listen")); };
      if (!is_endpoint(endpoint)) {
        problems_.push_back(at(router, "predictor-endpoint") + "'" + listed +
                            "' is neither ipc:///PATH nor tcp://HOST:PORT, after NAME= or alone");
      } else if (!predictors.empty() && std::ranges::none_of(predictors, there)) {
        problems_.push_back(at(router, "predictor-endpoint") + "no predictor's file listens at " + endpoint);
      }
    }
  }

  void look_for_twins(FileRole role) {
    const auto files = of(role);
    for (std::size_t i = 0; i < files.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        for (const std::string key : {"name", "listen"}) {
          const std::string value = value_of(*files[i], key);
          if (value == value_of(*files[j], key)) {
            problems_.push_back(at(*files[i], key) + "'" + value + "' is that of " + files[j]->path + ", too");
          }
        }
      }
    }
  }

  void look_for_the_forgotten() {
    const auto routers = of(FileRole::kRouter);
    if (routers.empty()) return;
    for (const ProcessFile* worker : of(FileRole::kWorker)) {
      const std::string prefix = value_of(*worker, "name") + "=";
      for (const ProcessFile* router : routers) {
        const auto listed = values_of(*router, "worker");
        if (std::ranges::none_of(listed, [&](const std::string& text) { return text.starts_with(prefix); })) {
          problems_.push_back(at(*worker, "name") + router->path + " lists no worker '" + value_of(*worker, "name") +
                              "'");
        }
      }
    }
  }

  const std::vector<ProcessFile>& files_;
  std::vector<std::string> problems_;
};

}  // namespace

std::optional<FileRole> role_of_file(std::string_view name) {
  for (const auto& [beginning, role] : kRoles) {
    if (!name.starts_with(beginning)) continue;
    const std::string_view rest = name.substr(beginning.size());
    if (rest.starts_with("-") || rest.starts_with(".")) return role;
  }
  return std::nullopt;
}

std::vector<std::string> deployment_problems(const std::vector<ProcessFile>& files) {
  return Deployment(files).problems();
}

}  // namespace sida::cli
