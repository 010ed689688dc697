// The panels of sources, in every gr.HTML that has some. A panel opens at what was quoted, with the focus on its Close
// button; Tab stays inside; Esc closes it, and the browser gives the focus back to what opened it.
element.addEventListener('toggle', ({target, newState}) => {
  if (newState !== 'open' || !target.matches('.sg-panel')) return;
  target.querySelector('mark')?.scrollIntoView({block: 'center'});
  target.querySelector('.sg-close').focus({preventScroll: true});
}, true);
element.addEventListener('keydown', (event) => {
  const panel = event.target.closest('.sg-panel');
  if (!panel || event.key !== 'Tab') return;
  const stops = [...panel.querySelectorAll('button, a[href]')];
  const next = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
  event.preventDefault();
  stops.at(next % stops.length).focus();
});
