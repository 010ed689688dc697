// Shows the cards of a batch and saves what is typed. It runs inside gr.HTML, which hands it `element`, `props`, `server`
// and `watch`. A card on the page is never drawn anew, so typing goes on while drafts arrive.
const list = element.querySelector('.sg-cards');
const bar = element.querySelector('.sg-toolbar');
const empty = element.querySelector('.sg-empty');
const none = element.querySelector('.sg-none');
const cards = new Map(); // row → element
const waiting = new Map(); // row → timer of a save to come
let batch = null; // none is known yet
let filter = 'all';
let first = 0; // the lowest row whose card isn't here yet
let fetching = false;

// What is typed is kept in the browser until it is saved: when the server was away, Gradio loads the page anew.
const kept = (row, inBatch) => `shawgpt-unsaved ${inBatch} ${row}`;
const place = (card) => Number(card.dataset.order) * 1e6 + Number(card.dataset.row);

function add(data) {
  const card = document.createElement('article');
  card.className = 'sg-card';
  card.setAttribute('aria-label', `Comment ${data.row + 1}`);
  Object.assign(card.dataset, {row: data.row, order: data.order, status: data.status, edited: data.edited});
  card.innerHTML = data.html; // escaped on the server
  cards.set(data.row, card);
  const next = [...list.children].find((other) => place(other) > place(card));
  list.insertBefore(card, next ?? null);
  const unsaved = sessionStorage.getItem(kept(data.row, batch));
  if (unsaved === null) return;
  card.querySelector('textarea').value = unsaved;
  save(card, batch);
}

function show() {
  if (!props.value) return;
  if (props.value.batch !== batch) {
    flush();
    batch = props.value.batch;
    filter = 'all';
    first = 0;
    cards.clear();
    list.replaceChildren();
    count();
  }
  fetchCards();
}

// Only the cards that are not on the page yet, some at a time: a batch has up to 2,000 of them, and they are drafted in
// any order.
async function fetchCards() {
  if (fetching) return;
  fetching = true;
  while (cards.size < props.value.done) {
    const [from, here] = [batch, cards.size];
    const answer = await ask('cards', {batch, first, beyond: [...cards.keys()].filter((row) => row > first)});
    if (batch !== from || cards.size !== here) continue; // another was opened meanwhile
    if (!answer.cards?.length) {
      if (answer.error) setTimeout(fetchCards, 3000);
      break;
    }
    answer.cards.forEach(add);
    while (cards.has(first)) first += 1;
    count();
  }
  fetching = false;
}

function count() {
  const counts = {all: cards.size, needs_you: 0, drafted: 0, failed: 0, edited: 0};
  let visible = 0;
  for (const card of cards.values()) {
    counts[card.dataset.status] += 1;
    if (card.dataset.edited === 'true') counts.edited += 1;
    const shown = filter === 'all' || card.dataset.status === filter || (filter === 'edited' && card.dataset.edited === 'true');
    card.hidden = !shown;
    visible += shown;
  }
  for (const button of bar.querySelectorAll('[data-filter]')) {
    const name = button.dataset.filter;
    button.querySelector('span').textContent = counts[name];
    button.setAttribute('aria-pressed', String(name === filter));
    button.hidden = counts[name] === 0 && name !== 'all' && name !== filter;
  }
  bar.hidden = cards.size === 0;
  empty.hidden = cards.size > 0;
  none.hidden = cards.size === 0 || visible > 0;
}

// Gradio's client answers with nothing, rather than an error, where the server is gone: so only a "yes" counts.
async function ask(name, data) {
  const answer = await server[name](data).catch(() => null);
  return answer ?? {error: 'the server does not answer'};
}

async function save(card, inBatch) {
  const row = Number(card.dataset.row);
  const text = card.querySelector('textarea').value;
  const said = card.querySelector('.sg-saved');
  waiting.delete(row);
  const answer = await ask('save', {batch: inBatch, row, text});
  const problem = answer.saved ? '' : (answer.error ?? 'the server refused it');
  card.classList.toggle('sg-unsaved', Boolean(problem));
  if (problem) {
    said.textContent = `Not saved: ${problem}. Trying again…`;
    if (!waiting.has(row)) waiting.set(row, setTimeout(() => save(card, inBatch), 3000));
    return;
  }
  if (!waiting.has(row)) {
    said.textContent = 'Saved';
    sessionStorage.removeItem(kept(row, inBatch));
  }
  card.dataset.edited = 'true';
  count();
}

function flush() {
  const rows = [...waiting.keys()];
  return Promise.all(rows.map((row) => (clearTimeout(waiting.get(row)), save(cards.get(row), batch))));
}

element.addEventListener('input', (event) => {
  const card = event.target.closest('.sg-card');
  if (!card) return;
  const row = Number(card.dataset.row);
  const inBatch = batch;
  sessionStorage.setItem(kept(row, inBatch), event.target.value);
  clearTimeout(waiting.get(row));
  waiting.set(row, setTimeout(() => save(card, inBatch), 250));
  card.querySelector('.sg-saved').textContent = 'Saving…';
});
element.addEventListener('focusout', flush);
document.addEventListener('visibilitychange', () => document.hidden && flush());

element.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.filter) {
    filter = button.dataset.filter;
    count();
  } else if (button.classList.contains('sg-copy')) {
    await navigator.clipboard.writeText(button.closest('.sg-card').querySelector('textarea').value);
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  } else if (button.classList.contains('sg-download')) {
    await flush();
    const {csv, error} = await ask('download', {batch});
    button.textContent = csv === undefined ? `Not downloaded: ${error}` : 'Download CSV';
    if (csv === undefined) return;
    saveAs(new Blob([csv], {type: 'text/csv;charset=utf-8'}), 'replies.csv'); // of panels.js
  }
});

watch('value', show);
show();
