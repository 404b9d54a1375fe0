// The lines of the overview: what the master has kept of the range in the address, and for keys that may not see that, what the page
// has seen since the log-in.
"use strict";
(() => {
  const section = document.getElementById("charts");
  if (!section || !window.uPlot) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => value >= 1e9 ? `${+(value / 1e9).toFixed(1)}G` : value >= 1e6 ? `${+(value / 1e6).toFixed(1)}M` : value >= 1e4 ? `${+(value / 1e3).toFixed(1)}k` : `${+value.toFixed(2)}`;
  const span = (value) => value === 0 ? "0" : value < 0.001 ? `${+(value * 1e6).toPrecision(2)} µs` : value < 1 ? `${+(value * 1e3).toPrecision(2)} ms` : value < 120 ? `${+value.toPrecision(3)} s` : value < 7200 ? `${+(value / 60).toPrecision(2)} min` : `${+(value / 3600).toPrecision(2)} h`;
  const bytes = (value) => { let at = 0; for (; value >= 1024 && at < 4; at++) value /= 1024; return `${value.toFixed(at && value < 100 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][at]}`; };
  // Marks of an axis of time are round in its unit: 2 min, and not 3.3.
  const SPANS = [...[-6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)), 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 86400, 172800, 432000, 864000];
  const COLOURS = ["--ready", "--running", "--succeeded", "--scheduled", "--failed"];
  const CHARTS = [
    { id: "rate", lines: [["ended", "--succeeded"], ["submitted", "--ready"], ["failed", "--failed"]], words: short },
    { id: "depth", lines: [["ready", "--ready"], ["running", "--running"], ["slots", "--dim"]], words: short },
    { id: "queues", lines: null, words: short },
    { id: "wait", lines: [["wait_p95", "--ready"], ["wait_p50", "--dim"]], words: span },
    { id: "run", lines: [["run_p95", "--running"], ["run_p50", "--dim"]], words: span },
    { id: "commit", lines: [["commit_p95", "--scheduled"], ["commit_p50", "--dim"]], words: span },
  ];
  const range = section.dataset.range, isLong = range === "1d" || range === "30d";
  let found = null, charts = new Map();
  const two = (number) => String(number).padStart(2, "0");
  const moment = (at, apart) => { const date = new Date(at * 1000); return range === "30d" ? `${two(date.getDate())}.${two(date.getMonth() + 1)}.` : date.toTimeString().slice(0, apart < 60 ? 8 : 5); };
  const axis = () => ({ stroke: colour("--dim"), font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } });
  function made(chart, node, lines) {
    const options = {
      width: Math.max(200, node.clientWidth), height: 120, legend: { show: false }, padding: [8, 18, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (plot, low, high) => [0, chart.words === span ? Math.max(high * 1.15, 0.0001) : Math.max(high * 1.15, 1)] } },
      axes: [{ ...axis(), grid: { show: false }, size: 26, space: 90, values: (plot, ticks) => ticks.map((at) => moment(at, ticks[1] - ticks[0])) }, { ...axis(), size: 52, space: 30, ...(chart.words === span ? { incrs: SPANS } : {}), values: (plot, ticks) => ticks.map(chart.words) }],
      series: [{}, ...lines.map(([, name], at) => ({ stroke: colour(name), fill: at === 0 && lines.length < 4 ? colour(name) + "1f" : undefined, width: at ? 1.3 : 1.6, points: { show: false }, spanGaps: chart.words === span }))],
    };
    return new uPlot(options, [[], ...lines.map(() => [])], node);
  }
  function draw() {
    for (const one of charts.values()) one.destroy();
    charts = new Map();
    if (!found) return;
    const queues = Object.keys(found.queues || {});
    for (const chart of CHARTS) {
      const node = document.getElementById(`chart-${chart.id}`);
      const lines = chart.lines ? chart.lines.filter(([name]) => found[name]) : queues.map((name, at) => [name, COLOURS[at]]);
      node.closest("figure").hidden = !lines.length;
      if (!lines.length) continue;
      const plot = made(chart, node, lines), values = chart.lines ? found : found.queues;
      plot.setData([found.at, ...lines.map(([name]) => values[name])]);
      charts.set(node, plot);
    }
    const names = document.getElementById("chart-queue-names");
    names.replaceChildren(...queues.map((name, at) => {
      const one = document.createElement("span"), dot = document.createElement("b");
      dot.className = `dot f-${COLOURS[at].slice(2)}`;
      one.append(dot, name.length > 40 ? `${name.slice(0, 39)}…` : name);
      return one;
    }));
    const size = (found.store_bytes || []).at(-1);
    document.getElementById("chart-store-now").textContent = size ? bytes(size) : "–";
    for (const name of ["wait_p95", "wait_p50", "run_p95", "run_p50", "commit_p95", "commit_p50"]) {
      const last = (found[name] || []).findLast((value) => value !== null);
      document.getElementById(`chart-${name}`).textContent = last === undefined ? "–" : span(last);
    }
    document.getElementById("chart-since").hidden = Boolean(found.step);
  }
  async function look() {
    try {
      const answer = await fetch(`/series?range=${encodeURIComponent(range)}`);
      if (answer.ok) { found = await answer.json(); if (!found.at) found = null; draw(); }
    } catch { /* the page is away: the next look finds it again, and the bar says so */ }
  }
  document.addEventListener("tq:point", ({ detail }) => {
    if (!detail) return;
    for (const [id, name] of [["rate", "ended_per_second"], ["depth", "ready"], ["running", "running"], ["slots", "slots"]]) document.getElementById(`chart-${id}-now`).textContent = id === "rate" ? short(detail[name]) : detail[name].toLocaleString();
  });
  document.addEventListener("tq:theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => { for (const [node, plot] of charts) plot.setSize({ width: Math.max(200, node.clientWidth), height: 120 }); }).observe(section);
  look();
  setInterval(() => { if (!document.hidden) look(); }, isLong ? 60_000 : 10_000);
})();
