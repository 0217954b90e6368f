// SPDX-License-Identifier: Apache-2.0
// What is wrong with the page as it is laid out now: a list of sentences.
(() => {
  const problems = [];
  const say = (what, element) => problems.push(what + ': <' + element.tagName.toLowerCase() + ' class="' +
    (element.getAttribute('class') || '') + '"> ' + (element.textContent || '').trim().slice(0, 60));
  const shown = element => element.getClientRects().length > 0 && getComputedStyle(element).visibility !== 'hidden';

  // Nothing is wider than the window, but what scrolls within itself.
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) problems.push('the page is ' + page.scrollWidth + ' wide in a window of ' + page.clientWidth);
  for (const element of document.querySelectorAll('body *')) {
    if (!shown(element) || element.closest('.scroll table, svg')) continue;
    const box = element.getBoundingClientRect();
    if (box.right > page.clientWidth + 0.5 || box.left < -0.5) say('reaches out of the window', element);
  }

  // Charts: words within the picture, none on another.
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect(), words = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
    words.forEach(([text, box], i) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1) say('out of its chart', text);
      if (box.height < 9) say('letters of ' + box.height + ' px', text);
      for (const [other, there] of words.slice(i + 1)) {
        if (box.left < there.right && there.left < box.right && box.top + 2 < there.bottom && there.top + 2 < box.bottom) say('lies on "' + other.textContent + '"', text);
      }
    });
    if (!svg.getAttribute('aria-label')) say('a chart without words', svg);
  }

  // Contrast (WCAG 2.2, 1.4.3 and 1.4.11).
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = color => {
    const [r, g, b] = color.map(c => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !shown(element) || element.closest('script')) continue;
    const style = getComputedStyle(element), back = ground(element);
    const ink = over(rgba(element.closest('svg') ? style.fill : style.color), back), ratio = contrast(ink, back);
    if (ratio < 4.5) say('contrast ' + ratio.toFixed(2), element);
  }
  for (const line of document.querySelectorAll('svg .line')) {
    if (!shown(line)) continue;
    const back = ground(line.closest('figure')), ratio = contrast(over(rgba(getComputedStyle(line).stroke), back), back);
    if (ratio < 3) say('contrast of a line ' + ratio.toFixed(2), line);
  }

  // Structure.
  if (!page.lang || !document.title) problems.push('no language or no title');
  if (document.querySelectorAll('h1').length !== 1) problems.push('not one h1');
  let level = 1;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    if (+heading.tagName[1] > level + 1) say('a level is left out before', heading);
    level = +heading.tagName[1];
  }
  for (const table of document.querySelectorAll('table')) if (!table.querySelector('th[scope]')) say('no th', table);
  for (const box of document.querySelectorAll('.scroll')) if (box.tabIndex !== 0 || !box.getAttribute('aria-label')) say('cannot be scrolled by keys', box);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  if (new Set(ids).size !== ids.length) problems.push('an id comes twice');
  for (const link of document.querySelectorAll('a')) if (!document.querySelector(link.getAttribute('href'))) say('leads nowhere', link);
  return problems;
})()
