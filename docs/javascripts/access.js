// What keyboards and screen readers need and the theme leaves out.

// Parts that scroll sideways can be reached by the Tab key, while they do; also where nothing hovers.
const SCROLLING = ".md-typeset__scrollwrap, .md-typeset pre > code";

function reach() {
  for (const one of document.querySelectorAll(SCROLLING)) {
    const scrolls = one.scrollWidth > one.clientWidth;
    if (scrolls && one.tabIndex !== 0) one.tabIndex = 0;
    else if (!scrolls && one.tabIndex === 0) one.removeAttribute("tabindex");
  }
  // A landmark for each block's copy button hides those that lead somewhere.
  for (const one of document.querySelectorAll(".md-code__nav:not([role])")) one.role = "none";
}

// Pictures that move stand still for those who ask for it: their first frame takes their place.
function still(picture) {
  const frame = document.createElement("canvas");
  [frame.width, frame.height] = [picture.naturalWidth, picture.naturalHeight];
  frame.getContext("2d").drawImage(picture, 0, 0);
  frame.style.maxWidth = "100%";
  frame.role = "img";
  frame.ariaLabel = picture.alt;
  picture.replaceWith(frame);
}

if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const one of document.querySelectorAll('img[src$=".gif"]')) one.decode().then(() => still(one));
}
// The theme makes these parts, and takes their tabindex away, when it likes.
new MutationObserver(reach).observe(document.body, { attributeFilter: ["tabindex"], childList: true, subtree: true });
new ResizeObserver(reach).observe(document.body);
