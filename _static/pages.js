// The theme lets a wide block be scrolled by keyboard if it is wide when the window changes its size.
// Blocks that were hidden then have no width: let it look again when something opens.
"use strict";

const lookAgain = () => setTimeout(() => window.dispatchEvent(new Event("resize")));
document.addEventListener("toggle", lookAgain, true); // of details
document.addEventListener("click", (event) => {
  if (event.target.closest(".toggle")) lookAgain();
});
