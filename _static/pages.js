// What is wider than its place is scrolled, by keyboard as well. The theme sees to that for code, but only
// when the window changes its size, and not for what was hidden then: let it look again when something opens.
"use strict";

const lookAgain = () => setTimeout(() => window.dispatchEvent(new Event("resize")));
document.addEventListener("toggle", lookAgain, true); // of details
document.addEventListener("click", (event) => {
  if (event.target.closest(".toggle")) lookAgain();
});

function letFiguresScroll() {
  for (const figure of document.querySelectorAll("figure")) {
    if (figure.scrollWidth > figure.clientWidth) figure.tabIndex = 0;
    else figure.removeAttribute("tabindex");
  }
}
window.addEventListener("resize", letFiguresScroll);
window.addEventListener("load", letFiguresScroll);

// On paper a page is light, whatever it is on the screen: the colors of code are the theme's, scheme by scheme.
const paper = window.matchMedia("print");
function dressForPaper() {
  const page = document.documentElement;
  if (page.dataset.theme !== "dark") return;
  page.dataset.themeOnScreen = "dark";
  page.dataset.theme = "light";
}
function dressForScreen() {
  const page = document.documentElement;
  if (!page.dataset.themeOnScreen) return;
  page.dataset.theme = page.dataset.themeOnScreen;
  delete page.dataset.themeOnScreen;
}
paper.addEventListener("change", () => (paper.matches ? dressForPaper() : dressForScreen()));
window.addEventListener("beforeprint", dressForPaper);
window.addEventListener("afterprint", dressForScreen);
