(function () {
  "use strict";
  var page = document.documentElement, place = new URL(location.href);
  // The clocks of this device, unless others were chosen.
  try {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !place.searchParams.has("tz") && zone !== page.dataset.zone) {
      place.searchParams.set("tz", zone);
      location.replace(place.href);
      return;
    }
  } catch (unknown) { /* The calendar's own are shown. */ }
  var touch = document.querySelector("[data-touch]");
  if (touch && navigator.maxTouchPoints > 1) touch.open = true;
  var button = document.querySelector("[data-copy]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", function () {
    var field = document.getElementById("url"), words = button.textContent;
    function done() {
      button.textContent = button.dataset.copied;
      setTimeout(function () { button.textContent = words; }, 2000);
    }
    function byHand() {
      field.focus();
      getSelection().selectAllChildren(field);
      if (document.execCommand("copy")) done();
    }
    if (navigator.clipboard) navigator.clipboard.writeText(field.textContent).then(done, byHand);
    else byHand();
  });
})();
