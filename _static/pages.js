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
