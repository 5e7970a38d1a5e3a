// Light, dark, or as the system is; remembered by this browser.

const CHOICES = ["system", "light", "dark"];
const NAME = "doneyet-theme";

function remembered() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function apply(choice) {
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
  else delete document.documentElement.dataset.theme;
}

export function startTheme() {
  apply(remembered());
}

export function nextTheme() {
  const now = document.documentElement.dataset.theme || "system";
  const choice = CHOICES[(CHOICES.indexOf(now) + 1) % CHOICES.length];
  apply(choice);
  try {
    localStorage.setItem(NAME, choice);
  } catch {
    // then it holds until the page is left
  }
  return choice;
}
