// The lines of the overview, from what the page has seen since the log-in.
"use strict";
(() => {
  const rate = document.getElementById("chart-rate"), depth = document.getElementById("chart-depth");
  if (!rate || !window.uPlot) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const series = { at: [], ended_per_second: [], ready: [], running: [] };
  let charts = [];
  const short = (value) => value >= 1e6 ? `${+(value / 1e6).toFixed(1)}M` : value >= 1e4 ? `${+(value / 1e3).toFixed(1)}k` : `${+value.toFixed(2)}`;
  const clock = (plot, ticks) => ticks.map((at) => new Date(at * 1000).toTimeString().slice(0, ticks[1] - ticks[0] < 60 ? 8 : 5));
  const axis = () => ({
    stroke: colour("--dim"), font: "11px system-ui, sans-serif", ticks: { show: false },
    grid: { stroke: colour("--line"), width: 1 },
  });
  function chart(node, lines) {
    const options = {
      width: Math.max(200, node.clientWidth), height: 120, legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (plot, low, high) => [0, Math.max(high * 1.15, 1)] } },
      axes: [{ ...axis(), grid: { show: false }, size: 26, space: 90, values: clock }, { ...axis(), size: 48, space: 30, values: (plot, ticks) => ticks.map(short) }],
      series: [{}, ...lines.map(([name, width]) => ({ stroke: colour(name), fill: width > 1.4 ? colour(name) + "1f" : undefined, width, points: { show: false } }))],
    };
    return new uPlot(options, [[], ...lines.map(() => [])], node);
  }
  function draw() {
    for (const one of charts) one.destroy();
    charts = [chart(rate, [["--succeeded", 1.6]]), chart(depth, [["--ready", 1.6], ["--running", 1.3]])];
    fill();
  }
  function fill() {
    if (!charts.length) return;
    charts[0].setData([series.at, series.ended_per_second]);
    charts[1].setData([series.at, series.ready, series.running]);
    const last = series.at.length - 1;
    if (last < 0) return;
    document.getElementById("chart-rate-now").textContent = short(series.ended_per_second[last]);
    document.getElementById("chart-depth-now").textContent = series.ready[last].toLocaleString();
    document.getElementById("chart-running-now").textContent = series.running[last].toLocaleString();
  }
  document.addEventListener("tq:point", ({ detail }) => {
    if (!detail || detail.at <= (series.at.at(-1) || 0)) return;
    for (const name of Object.keys(series)) series[name].push(detail[name]);
    fill();
  });
  document.addEventListener("tq:theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => { for (const [at, node] of [rate, depth].entries()) if (charts[at]) charts[at].setSize({ width: Math.max(200, node.clientWidth), height: 120 }); }).observe(rate);
  draw();
  fetch("/series").then((answer) => answer.ok ? answer.json() : {}).then((found) => {
    if (found.at) { for (const name of Object.keys(series)) series[name] = found[name]; fill(); }
  });
})();
