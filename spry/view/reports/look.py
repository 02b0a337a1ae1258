"""How a report in HTML looks: on light and on dark ground, on a wide screen, a telephone and paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1d2228; --faint: #5d6773; --line: #dfe3e8; --code: #f3f5f7;
  --good: #1a7f37; --bad: #cf222e; --left: #7d8792; --stopped: #9a6700; --link: #0757b5;
  --good-tint: #dcf4e2; --bad-tint: #ffe5e3; --left-tint: #eceff2; --stopped-tint: #fff2cf;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0e1116; --card: #161a21; --ink: #e4e8ed; --faint: #97a1ad; --line: #2a313b; --code: #0f131a;
    --good: #4cc764; --bad: #ff6a61; --left: #8b95a1; --stopped: #dfab37; --link: #74b4ff;
    --good-tint: #12301b; --bad-tint: #3a1719; --left-tint: #222831; --stopped-tint: #33290f;
  }
}
* { box-sizing: border-box }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main, .banner > div { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem }
a { color: var(--link); text-decoration: none }
a[href]:hover { text-decoration: underline }
a:not([href]) { color: inherit }
code, pre { font-family: var(--mono) }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 0 0 .9rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem 1.4rem;
  margin: 1.25rem 0 }
.banner { background: var(--card); border-bottom: 1px solid var(--line); border-top: 5px solid var(--bad) }
.banner.ok { border-top-color: var(--good) }
.banner > div { padding-top: 1.6rem; padding-bottom: 1.4rem }
.headline { display: flex; gap: 1rem; align-items: center }
.seal { flex: none; width: 3rem; height: 3rem; border-radius: 50%; display: grid; place-items: center;
  font-size: 1.5rem; font-weight: 700; background: var(--bad-tint); color: var(--bad) }
.ok .seal { background: var(--good-tint); color: var(--good) }
.about { color: var(--faint); margin: .15rem 0 0; overflow-wrap: anywhere }
.figures { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1.1rem 0 0; padding: 0; list-style: none }
.figures li, .badge { border-radius: 99px; padding: .12rem .7rem; font-size: .88rem; font-weight: 600;
  white-space: nowrap }
.failures { margin: .9rem 0 0; overflow-wrap: anywhere }
.share { display: block; border-radius: 4px; margin-top: 1rem }
.succeeded { --tone: var(--good); --tint: var(--good-tint) }
.failed { --tone: var(--bad); --tint: var(--bad-tint) }
.skipped, .retried { --tone: var(--left); --tint: var(--left-tint) }
.cancelled { --tone: var(--stopped); --tint: var(--stopped-tint) }
.figures li, .badge { color: var(--tone); background: var(--tint) }
rect.succeeded, rect.failed, rect.skipped, rect.cancelled { fill: var(--tone) }
rect.retried { fill: var(--bad); opacity: .45 }

.graph { overflow-x: auto; margin: 0 -.4rem }
.graph svg { display: block; margin: 0 auto; max-width: none; height: auto }
.graph .paper { fill: transparent }
.graph rect.box { fill: var(--tint); stroke: var(--tone); stroke-width: 1.4 }
.graph text { fill: var(--ink) }
.graph a:hover rect { stroke-width: 2.4 }
.graph .why { stroke: var(--card) }

.row { display: grid; grid-template-columns: minmax(6rem, 14rem) 1fr 4.2rem; gap: .8rem; align-items: center }
.row a { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: .9rem }
.row .took { text-align: right; color: var(--faint); font-size: .85rem; font-variant-numeric: tabular-nums }
.bars { display: block; overflow: visible }
.tick { stroke: var(--line) }
.scale div { position: relative; height: 1.3rem; font-size: .78rem; color: var(--faint) }
.scale i { position: absolute; transform: translateX(-50%); font-style: normal; white-space: nowrap }
.scale i:first-child { transform: none }

.task { border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 8px; margin: .6rem 0;
  scroll-margin-top: 1rem; background: var(--card) }
.task:target { outline: 2px solid var(--link); outline-offset: 2px }
.task summary { display: flex; flex-wrap: wrap; gap: .1rem .7rem; align-items: baseline;
  padding: .55rem 2.2rem .55rem .9rem; position: relative; cursor: pointer; list-style: none }
.task summary::-webkit-details-marker { display: none }
.task summary::after { content: "+"; color: var(--faint); font-family: var(--mono); position: absolute; right: .9rem }
.task[open] summary::after { content: "\\2212" }
.task .mark { color: var(--tone); font-weight: 700 }
.task .name { font-weight: 650; overflow-wrap: anywhere }
.task .descr { color: var(--faint) }
.task .words { margin-left: auto; color: var(--tone); font-size: .9rem; text-align: right }
.task .inside { padding: .1rem .9rem .8rem; border-top: 1px solid var(--line) }
.facts { color: var(--faint); font-size: .88rem; margin: .6rem 0; overflow-wrap: anywhere }
.attempt { font-size: .88rem; margin: .9rem 0 .3rem; font-weight: 600 }
.cut, .none { color: var(--faint); font-size: .85rem; margin: .3rem 0; overflow-wrap: anywhere }
pre { margin: 0; font-size: .84rem; line-height: 1.5; tab-size: 8 }
.output { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem;
  overflow: auto; max-height: 32rem; white-space: pre-wrap; overflow-wrap: anywhere;
  display: flex; flex-direction: column-reverse }
.stderr { background: var(--stopped-tint) }

.book { overflow-wrap: break-word }
.book h1 { font-size: 1.45rem } .book h2 { font-size: 1.2rem } .book h3 { font-size: 1.05rem }
.book h1, .book h2, .book h3, .book h4 { margin: 1.5rem 0 .6rem }
.book > :first-child { margin-top: 0 }
.book p, .book ul, .book ol { max-width: 46rem }
.book :not(pre, figcaption) > code { background: var(--code); border-radius: 4px; padding: .1em .35em;
  font-size: .87em }
.book blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: 3px solid var(--line); color: var(--faint) }
.book table { border-collapse: collapse; display: block; overflow-x: auto }
.book th, .book td { border: 1px solid var(--line); padding: .3rem .7rem; text-align: left }
.book hr { border: 0; border-top: 1px solid var(--line) }
figure { margin: 1rem 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; background: var(--code) }
figure pre { padding: .7rem .9rem; overflow-x: auto }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .3rem 1rem; align-items: center;
  padding: .35rem .9rem; border-bottom: 1px solid var(--line); background: var(--card) }
figcaption code { font-size: .8rem; color: var(--faint); overflow-wrap: anywhere }
footer { color: var(--faint); font-size: .85rem; text-align: center; padding: .5rem 1rem 2.5rem }

.bold { font-weight: 700 } .faint { opacity: .7 } .slanted { font-style: italic }
.lined { text-decoration: underline } .struck { text-decoration: line-through }
.ink0 { color: #57606a } .ink1 { color: #cf222e } .ink2 { color: #1a7f37 } .ink3 { color: #8a5a00 }
.ink4 { color: #0757b5 } .ink5 { color: #8250df } .ink6 { color: #136f7c } .ink7 { color: #57606a }
.ink8 { color: #6e7781 } .ink9 { color: #a40e26 } .ink10 { color: #116329 } .ink11 { color: #7d4e00 }
.ink12 { color: #0a4a9e } .ink13 { color: #6639ba } .ink14 { color: #0e5a66 } .ink15 { color: #24292f }
.ground0, .ground8 { background: #d0d7de } .ground1, .ground9 { background: #ffd7d5 }
.ground2, .ground10 { background: #c8f0d1 } .ground3, .ground11 { background: #ffe9a8 }
.ground4, .ground12 { background: #cfe4ff } .ground5, .ground13 { background: #ead9ff }
.ground6, .ground14 { background: #c5eef3 } .ground7, .ground15 { background: #eaeef2 }
@media (prefers-color-scheme: dark) {
  .ink0 { color: #8b949e } .ink1 { color: #ff7b72 } .ink2 { color: #5ed277 } .ink3 { color: #e3b341 }
  .ink4 { color: #79b8ff } .ink5 { color: #d2a8ff } .ink6 { color: #6fd6e0 } .ink7 { color: #c9d1d9 }
  .ink8 { color: #8b949e } .ink9 { color: #ffa198 } .ink10 { color: #7ee787 } .ink11 { color: #f2cc60 }
  .ink12 { color: #a5d0ff } .ink13 { color: #e2c5ff } .ink14 { color: #9be9f0 } .ink15 { color: #f0f6fc }
  .ground0, .ground8 { background: #30363d } .ground1, .ground9 { background: #5c1f21 }
  .ground2, .ground10 { background: #1c4426 } .ground3, .ground11 { background: #4d3b0c }
  .ground4, .ground12 { background: #17365c } .ground5, .ground13 { background: #3f2a5c }
  .ground6, .ground14 { background: #124249 } .ground7, .ground15 { background: #3d444d }
}
@media (max-width: 40rem) {
  main, .banner > div { padding-left: .8rem; padding-right: .8rem }
  section { padding: 1rem .9rem; border-radius: 10px }
  .row { grid-template-columns: 1fr auto; gap: 0 .6rem; margin-bottom: .35rem }
  .row .bars, .scale div { grid-column: 1 / -1; grid-row: 2 }
  .scale > span { display: none }
  .task .words { margin-left: 0; flex-basis: 100%; text-align: left }
}
@media print {
  body { background: none } section, .banner { border: 0; padding: 0 } .output { max-height: none }
}
"""
