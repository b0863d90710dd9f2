// A link to a page that asks for confirmation opens the dialog of that question instead.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  const dialog = link && document.getElementById(link.dataset.dialog);
  if (!dialog || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  dialog.showModal();
});
