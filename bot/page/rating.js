// The rows under answers: a rating, a note, both kept at once; and the export at the end. The conversation is drawn anew
// with every question: what was rated since is put in again.
const rated = new Map(); // "session position" → {rating, note}
const notes = new Map(); // the same → timer of a note that is being typed
let typing = null; // the row whose note has the focus: it keeps it

const rowKey = (row) => `${row.dataset.session} ${row.dataset.position}`;

function drawRow(row) {
  const {rating, note} = rated.get(rowKey(row));
  for (const thumb of row.querySelectorAll('.sg-thumb')) thumb.ariaPressed = String(Number(thumb.dataset.rating) === rating);
  const input = row.querySelector('.sg-note-of');
  input.hidden = !rating;
  if (input.value !== note) input.value = note;
}

async function keepRating(row) {
  const key = rowKey(row);
  const {rating, note} = rated.get(key);
  clearTimeout(notes.get(key));
  notes.delete(key);
  const asked = {session: row.dataset.session, position: Number(row.dataset.position), rating, note};
  const answer = (await server.rate(asked).catch(() => null)) ?? {error: 'the server does not answer'};
  const now = [...element.querySelectorAll('.sg-rating')].find((other) => rowKey(other) === key);
  if (!now) return;
  now.classList.toggle('sg-unsaved', !answer.saved);
  now.querySelector('.sg-saved').textContent = answer.saved ? (rating ? 'Saved' : '') : `Not saved: ${answer.error}. Try again.`;
}

element.addEventListener('click', async (event) => {
  const thumb = event.target.closest('.sg-thumb');
  const taken = event.target.closest('[data-export]');
  if (thumb) {
    const row = thumb.closest('.sg-rating');
    const value = Number(thumb.dataset.rating);
    const same = thumb.ariaPressed === 'true';
    rated.set(rowKey(row), {rating: same ? null : value, note: same ? '' : row.querySelector('.sg-note-of').value});
    drawRow(row);
    row.querySelector('.sg-note-of').scrollIntoView({block: 'nearest'});
    keepRating(row);
  } else if (taken) {
    const row = taken.closest('.sg-export');
    const waiting = [...element.querySelectorAll('.sg-rating')].filter((one) => notes.has(rowKey(one)));
    await Promise.all(waiting.map(keepRating));
    const asked = {session: row.dataset.session, form: taken.dataset.export};
    const answer = (await server.export_talk(asked).catch(() => null)) ?? {error: 'the server does not answer'};
    row.querySelector('[role=status]').textContent = answer.error ? `Not exported: ${answer.error}` : '';
    if (!answer.error) saveAs(new Blob([answer.text], {type: `${answer.type};charset=utf-8`}), answer.name); // of panels.js
  }
});
element.addEventListener('input', (event) => {
  if (!event.target.matches('.sg-note-of')) return;
  const row = event.target.closest('.sg-rating');
  const thumb = row.querySelector('.sg-thumb[aria-pressed=true]');
  rated.set(rowKey(row), {rating: Number(thumb.dataset.rating), note: event.target.value});
  row.querySelector('.sg-saved').textContent = 'Saving…';
  clearTimeout(notes.get(rowKey(row)));
  notes.set(rowKey(row), setTimeout(() => keepRating(row), 300));
});
element.addEventListener('focusin', (event) => {
  typing = event.target.matches('.sg-note-of') ? rowKey(event.target.closest('.sg-rating')) : null;
});
watch('value', () => {
  for (const row of element.querySelectorAll('.sg-rating')) {
    if (!rated.has(rowKey(row))) continue;
    drawRow(row);
    if (rowKey(row) === typing && document.activeElement === document.body) row.querySelector('.sg-note-of').focus();
  }
});
