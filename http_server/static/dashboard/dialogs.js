// The help, and the question before what cannot be undone.

const of = (id) => document.getElementById(id);

export const showHelp = () => of("help").open || of("help").showModal();

export const isOpen = () => Boolean(document.querySelector("dialog[open]"));

// Whether the visitor says yes.
export function confirmed({ head, text, yes, no = "Keep" }) {
  const dialog = of("confirm");
  of("confirm-title").textContent = head;
  of("confirm-text").textContent = text;
  of("confirm-yes").textContent = yes;
  of("confirm-no").textContent = no;
  dialog.showModal();
  return new Promise((resolve) => {
    const end = (said) => () => {
      dialog.close();
      resolve(said);
    };
    of("confirm-yes").onclick = end(true);
    of("confirm-no").onclick = end(false);
    // By Esc. The event comes late: that of the question before may find this one open.
    dialog.onclose = () => dialog.open || resolve(false);
  });
}
