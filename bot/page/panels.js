// The panels of sources, in every gr.HTML that has some. A panel opens at what was quoted, with the focus on its Close
// button; Tab stays inside; Esc closes it, and the browser gives the focus back to what opened it.
element.addEventListener('toggle', ({target, newState}) => {
  if (newState !== 'open' || !target.matches('.sg-panel')) return;
  target.querySelector('mark')?.scrollIntoView({block: 'center'});
  target.querySelector('.sg-close').focus({preventScroll: true});
}, true);
element.addEventListener('keydown', (event) => {
  const panel = event.target.closest('.sg-panel');
  if (!panel || event.key !== 'Tab' || event.target.closest('dialog')) return;
  const stops = [...panel.querySelectorAll('button, a[href]')];
  const next = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
  event.preventDefault();
  stops.at(next % stops.length).focus();
});

// "Show the page" in a panel: the page of the PDF as a picture in a dialog over it, with what is quoted marked.
element.addEventListener('click', (event) => {
  const button = event.target.closest('.sg-show-page');
  if (button) showPage(button);
});

function saveAs(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function showPage(button) {
  const {chunk, title} = button.dataset;
  const marks = JSON.parse(button.dataset.marks);
  const make = (tag, settings, ...inside) => {
    const made = Object.assign(document.createElement(tag), settings);
    made.append(...inside);
    return made;
  };
  const key = (label, text) => make('button', {type: 'button', className: 'sg-button', ariaLabel: label, title: label}, text);
  const [back, on, smaller, larger] = [key('Previous page', '‹'), key('Next page', '›'), key('Smaller', '−'), key('Larger', '+')];
  const save = key('Save the picture', '↓');
  const shut = make('button', {type: 'button', className: 'sg-close', ariaLabel: 'Close'}, '✕');
  const where = make('b', {});
  const told = make('p', {className: 'sg-viewer-told', role: 'status'});
  const image = make('img', {hidden: true});
  const sheet = make('div', {className: 'sg-viewer-sheet', tabIndex: 0}, image);
  const bar = make('div', {className: 'sg-viewer-bar'}, back, where, on, smaller, larger, save, shut);
  const viewer = make('dialog', {className: 'sg-viewer', ariaLabel: title}, bar, told, sheet);
  let page = Number(button.dataset.page);
  let pages = 0;
  let zoom = 1;
  let turn = 0; // counts what was asked for: an answer that comes late is passed over

  const scale = (factor) => {
    const middle = (sheet.scrollTop + sheet.clientHeight / 2) / sheet.scrollHeight;
    zoom = Math.min(4, Math.max(1, zoom * factor));
    image.style.width = `${100 * zoom}%`;
    sheet.scrollTop = middle * sheet.scrollHeight - sheet.clientHeight / 2;
    smaller.disabled = zoom <= 1;
    larger.disabled = zoom >= 4;
  };
  const go = async (to) => {
    if (to < 1 || (pages && to > pages)) return;
    page = to;
    const mine = (turn += 1);
    const asked = marks[page] ?? [];
    where.textContent = pages ? `Page ${page} of ${pages}` : `Page ${page}`;
    told.textContent = `Drawing page ${page}…`;
    told.classList.remove('sg-bad');
    sheet.ariaBusy = 'true';
    const got = (await server.page_picture({chunk, page, marks: asked}).catch(() => null)) ?? {error: 'the server does not answer'};
    if (mine !== turn || !viewer.isConnected) return;
    sheet.ariaBusy = 'false';
    if (got.error) {
      image.hidden = save.disabled = true;
      told.classList.add('sg-bad');
      told.textContent = `The page can't be shown: ${got.error}`;
      return;
    }
    pages = got.pages;
    where.textContent = `Page ${page} of ${pages}`;
    back.disabled = page <= 1;
    on.disabled = page >= pages;
    const lost = got.found.some((found) => !found);
    const others = Object.keys(marks).filter((other) => Number(other) !== page);
    told.textContent = [
      !asked.length && 'Nothing is quoted from this page.',
      lost && 'What is quoted was not found in the page’s own text, so not all of it is marked.',
      others.length && `Marked on page ${others.join(', ')}${asked.length ? ' too' : ''}.`,
    ].filter(Boolean).join(' ');
    image.alt = `Page ${page} of ${pages} of ${title}${asked.length && !lost ? `, with this marked: ${asked.map((mark) => mark[0]).join(' … ')}` : ''}`;
    image.src = got.src;
    await image.decode().catch(() => null);
    image.hidden = save.disabled = false;
    sheet.scrollTop = Math.max(0, got.top * image.clientHeight - sheet.clientHeight / 3);
  };

  back.onclick = () => go(page - 1);
  on.onclick = () => go(page + 1);
  smaller.onclick = () => scale(1 / 1.5);
  larger.onclick = () => scale(1.5);
  save.onclick = () => {
    const bytes = Uint8Array.from(atob(image.src.split(',')[1]), (letter) => letter.charCodeAt(0));
    saveAs(new Blob([bytes], {type: 'image/png'}), `${title.replace(/[^\p{L}\p{N}.-]+/gu, '-').slice(0, 60)}-p${page}.png`);
  };
  shut.onclick = () => viewer.close();
  viewer.onclose = () => viewer.remove();
  viewer.onclick = (event) => event.target === viewer && viewer.close(); // beside it
  viewer.onkeydown = (event) => {
    const does = {ArrowLeft: zoom === 1 && back, ArrowRight: zoom === 1 && on, '+': larger, '-': smaller}[event.key];
    if (does && !event.ctrlKey && !event.metaKey && !event.altKey) does.click();
  };
  button.closest('.sg-panel').append(viewer); // inside it: the panel stays open behind
  save.disabled = true;
  scale(1);
  viewer.showModal();
  go(page);
}
