"use strict";
// Drawing static charts that are covered at once would take as long as reading the page. Should
// the page's script fail, they are there.
document.documentElement.classList.add("js");
addEventListener("error", () => document.documentElement.classList.remove("js"));
