// A figure's run in the kit's player, which the builder puts before this text. A drawing of messages gives way to the player, which
// shows the same and more; any other drawing stays above it.
(function () {
  const players = new WeakMap();
  window.playRun = (picture, { svg, run }) => {
    const box = picture.closest('.sandbox');
    const trace = JSON.parse(run);
    const shown = players.get(picture);
    if (shown) {
      box.dataset.place = '';
      shown.above.innerHTML = above(svg);
      shown.player.load(trace);
      return;
    }
    const [drawing, host] = [document.createElement('div'), document.createElement('div')];
    picture.replaceChildren(drawing, host);
    drawing.innerHTML = above(svg);
    const given = new URLSearchParams(box.dataset.place || '');
    const hidden = (given.get('hide') || '').split(',').map((name) => trace.lanes.indexOf(name)).filter((lane) => lane >= 0);
    const player = window.TracePlayer.mount(host, trace, {
      first: true,
      step: parseInt(given.get('step'), 10) || undefined,
      hidden,
      copied: () => new URL(box.querySelector('.share').href).href,
      changed: (state) => {
        const place = new URLSearchParams({ step: state.step });
        const names = state.hidden.map((lane) => player.trace().lanes[lane]).filter(Boolean);
        if (names.length) place.set('hide', names.join(','));
        box.dataset.place = place;
        box.dispatchEvent(new Event('played'));
      },
    });
    players.set(picture, { above: drawing, player });
  };
  const above = (svg) => svg.includes('class="drawing messages"') ? '' : svg;
})();
