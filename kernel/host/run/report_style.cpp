// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/report_style.h"

namespace attune {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--bg:#fff;--card:#f7f8fa;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--focus:#0b57d0;
--c0:#1f66b8;--c1:#b04a00;--c2:#1b7a3d;--c3:#8038b0;--c4:#b3263a;--c5:#0b6e80;--key:#0a4fa3;--string:#176534;--number:#9a3d00;--word:#7a2fa8}
@media(prefers-color-scheme:dark){:root{--bg:#14171c;--card:#1c2027;--ink:#e6e8eb;--soft:#a3acb8;--line:#343b45;--focus:#8ab8ff;
--c0:#79b4f2;--c1:#f2a25c;--c2:#6fd08c;--c3:#cf9ff5;--c4:#ff8f9f;--c5:#5cc8d8;--key:#8cc0f7;--string:#8fd6a5;--number:#f2b27d;--word:#d6aef5}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:96rem;padding:1.5rem clamp(.9rem,3vw,2.5rem) 4rem;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.6rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.6rem 0 .8rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.4rem 0 .5rem}
p{margin:.4rem 0;max-width:75ch}
.soft,small,.note{color:var(--soft)}small{font-size:.85em;font-weight:400}
a{color:var(--c0)}:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.8rem 0 0}
.runs{position:sticky;top:0;z-index:2;margin:0 0 .8rem;padding:.5rem 0;border:0;border-bottom:1px solid var(--line);background:var(--bg);
display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;min-width:0;max-height:30vh;overflow-y:auto}
.runs legend{float:left;padding:0;margin-right:1.2rem;font-weight:600}
.runs label{display:inline-flex;align-items:center;gap:.4rem;cursor:pointer;overflow-wrap:anywhere}.runs input{margin:0;accent-color:var(--c)}
i{display:inline-block;flex:none;width:1.3em;height:0;border-top:3px solid var(--c);vertical-align:middle}
i.dashed{border-top-style:dashed}i.dotted{border-top-style:dotted}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.7rem;margin:1.2rem 0 0;padding:0}
.tiles div{padding:.6rem .8rem;border:1px solid var(--line);border-radius:8px;background:var(--card)}
.tiles dt{color:var(--soft);font-size:.85rem}.tiles dd{margin:0;font-size:1.25rem;font-weight:600;overflow-wrap:anywhere}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1rem}
figure{margin:0;padding:.7rem .8rem .5rem;border:1px solid var(--line);border-radius:8px;background:var(--card);position:relative;break-inside:avoid;min-width:0}
figcaption{font-weight:600;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;margin-top:.3rem}
svg text{font-size:11.5px;fill:var(--soft)}
.grid path,svg path{fill:none}svg .grid{stroke:var(--line);stroke-width:1}
svg .line{stroke:var(--c);stroke-width:1.6;stroke-linejoin:round}svg .band{fill:var(--c);opacity:.2}svg circle{fill:var(--c)}
svg .dashed{stroke-dasharray:6 3}svg .dotted{stroke-dasharray:1.5 3;stroke-linecap:round}
svg .cross{stroke:var(--soft);stroke-width:1}
.newest{display:flex;flex-wrap:wrap;gap:.1rem 1rem;list-style:none;margin:.3rem 0 0;padding:0;font-size:.85rem;color:var(--soft)}
.newest li{display:inline-flex;align-items:center;gap:.4rem;min-width:0}.newest b{color:var(--ink);white-space:nowrap}
.newest span{max-width:9rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.tip{position:absolute;z-index:1;pointer-events:none;padding:.3rem .5rem;border:1px solid var(--line);border-radius:6px;background:var(--bg);font-size:.8rem;max-width:15rem;overflow-wrap:anywhere}
.tip div{display:flex;align-items:center;gap:.4rem}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse}
th,td{padding:.3rem 1.2rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
.long{display:inline-block;width:max-content;min-width:13rem;max-width:min(25rem,60vw);overflow-wrap:anywhere;white-space:normal}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:400}
td.num,th.num{text-align:right;white-space:nowrap}
th,td,pre,dd,h3,b,bdi{unicode-bidi:isolate}
td.other{min-width:6rem;background:color-mix(in srgb,var(--c1) 14%,transparent);font-weight:600;padding-left:.4rem}
.meter{width:5rem;height:.7rem;margin:.4rem 0 0}.meter .of{fill:var(--line)}.meter .is{fill:var(--c0)}.meter .over{fill:var(--c4)}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr));gap:1rem}
.answers>div{padding:.6rem .8rem;border:1px solid var(--line);border-radius:8px;background:var(--card);min-width:0}
.answers h4{margin:0 0 .3rem;font-size:.85rem;color:var(--soft);font-weight:600}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}
pre.toml,.mono{font:13px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
pre.toml{padding:.8rem;border:1px solid var(--line);border-radius:8px;background:var(--card)}
.t{color:var(--ink);font-weight:700}.k{color:var(--key)}.s{color:var(--string)}.n{color:var(--number)}.w{color:var(--word)}.m{color:var(--soft)}
details{margin:.5rem 0}summary{cursor:pointer;padding:.3rem 0;font-weight:600;overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem 2rem;align-items:start}.two>*{min-width:0}.wide{grid-template-columns:repeat(auto-fit,minmax(min(100%,36rem),1fr))}
@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:11px}.runs{position:static}nav{display:none}
.grid{grid-template-columns:repeat(2,1fr)}h2,h3{break-after:avoid}pre.toml{border:0;padding:0}}
)";

/// Colours come six at a time; the second six are dashed.
std::string run_colors() {
  std::string made;
  for (int run = 0; run < 12; ++run) {
    const std::string r = std::to_string(run);
    made += ".r" + r + "{--c:var(--c" + std::to_string(run % 6) + ")}body:has(#run" + r +
            ":not(:checked)) figure .r" + r + "{display:none}";
    if (run >= 6) made += "svg .r" + r + " .line{stroke-dasharray:9 2 2 2}";
  }
  return made;
}

constexpr const char* kScript = R"((()=>{
const near=(path,x)=>{let best=null;for(const p of path){const d=Math.abs(p[0]-x);if(!best||d<best[2])best=[p[0],p[1],d]}return best};
const show=v=>Math.abs(v)>=1e5||(v&&Math.abs(v)<1e-3)?v.toExponential(2):String(+v.toPrecision(4));
document.querySelectorAll('svg[data-plot]').forEach(svg=>{
const [left,right,top,bottom]=svg.dataset.plot.split(' ').map(Number),[x0,x1]=svg.dataset.x.split(' ').map(Number),ys=svg.dataset.y.split(' '),log=ys[2]==='log';
const [y0,y1]=log?[Math.log10(ys[0]),Math.log10(ys[1])]:[+ys[0],+ys[1]];
const lines=[...svg.querySelectorAll('.line')].map(l=>({name:l.dataset.name,group:l.parentNode,points:l.getAttribute('d').split(/[M ]/).filter(Boolean).map(p=>p.split(',').map(Number))}));
const cross=document.createElementNS('http://www.w3.org/2000/svg','path');cross.setAttribute('class','cross');
const tip=document.createElement('div');tip.className='tip';tip.hidden=true;svg.parentNode.append(tip);
const hide=()=>{tip.hidden=true;cross.remove()};
svg.addEventListener('pointerleave',hide);
svg.addEventListener('pointermove',e=>{
const box=svg.getBoundingClientRect(),x=(e.clientX-box.left)/box.width*400;
const found=lines.filter(l=>getComputedStyle(l.group).display!=='none').map(l=>[l,near(l.points,x)]);
if(!found.length)return hide();
const at=found.map(f=>f[1]).reduce((a,b)=>b[2]<a[2]?b:a)[0];
cross.setAttribute('d','M'+at+','+top+'V'+bottom);svg.append(cross);
const step=document.createElement('strong');step.textContent='step '+Math.round(x0+(at-left)/(right-left)*(x1-x0));
tip.replaceChildren(step,...found.filter(f=>Math.abs(f[1][0]-at)<4).map(([l,p])=>{
const row=document.createElement('div'),key=document.createElement('i'),v=y0+(bottom-p[1])/(bottom-top)*(y1-y0);
row.className=l.group.getAttribute('class');row.append(key,l.name+' '+show(log?10**v:v));return row}));
tip.hidden=false;
const f=svg.parentNode.getBoundingClientRect(),px=at/400*box.width+box.left-f.left;
tip.style.top=(box.top-f.top+8)+'px';tip.style.left=Math.max(4,px>f.width/2?px-tip.offsetWidth-10:px+10)+'px'})});
let opened=[];
addEventListener('beforeprint',()=>{opened=[...document.querySelectorAll('details:not([open])')];opened.forEach(d=>d.open=true)});
addEventListener('afterprint',()=>opened.forEach(d=>d.open=false));
})();)";

}  // namespace

std::string report_style() { return kStyle + run_colors(); }

std::string report_script() { return kScript; }

}  // namespace attune
