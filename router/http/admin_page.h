// The page at / of the admin port: one table of processes, filled from /status every two seconds.
#pragma once

#include <string_view>

namespace sida::router {

inline constexpr std::string_view kAdminPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>sida</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ccc; }
</style>
</head>
<body>
<h1>sida</h1>
<p id="summary" role="status">Loading …</p>
<table><thead><tr><th>process</th><th>role</th><th>state</th><th>experts resident</th><th>memory</th><th>rows</th>
</tr></thead><tbody id="processes"></tbody></table>
<p><a href="/status">/status</a> (JSON) · <a href="/metrics">/metrics</a> (Prometheus)</p>
<script>
const mib = bytes => (bytes / 1048576).toFixed(1) + ' MiB';
const percent = share => share === null ? 'none yet' : (100 * share).toFixed(1) + ' %';
async function show() {
  try {
    const s = await (await fetch('/status')).json();
    document.getElementById('summary').textContent = (s.ready ? 'Ready' : 'Not ready: ' + s.reason) +
      ' · running ' + s.requests.running + ' · waiting ' + s.requests.waiting + ' · tokens generated ' +
      s.tokens.generation + ' · agreement with the gate ' + percent(s.agreement) + ' · expert hit rate ' +
      percent(s.hit_rate);
    const rows = s.processes.map(process => {
      const worker = s.workers.find(w => w.name === process.name);
      const cells = [process.name, process.role, process.state + (process.detail ? ': ' + process.detail : ''),
        worker ? worker.experts_resident : '', worker ? mib(worker.memory_bytes) + ' of ' +
        mib(worker.memory_budget_bytes) : '', worker ? worker.rows_served : ''];
      const row = document.createElement('tr');
      for (const cell of cells) row.appendChild(document.createElement('td')).textContent = cell;
      return row;
    });
    document.getElementById('processes').replaceChildren(...rows);
  } catch (error) {
    document.getElementById('summary').textContent = 'The router does not answer: ' + error.message;
  }
}
show();
setInterval(show, 2000);
</script>
</body>
</html>
)html";

}  // namespace sida::router
