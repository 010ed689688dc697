// Copies the command or the program that is shown.
element.addEventListener('click', async (event) => {
  const button = event.target.closest('.sg-copy-code');
  if (!button) return;
  await navigator.clipboard.writeText(element.querySelector('pre').textContent);
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
});
