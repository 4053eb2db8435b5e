// Search. The index and its reader are loaded when somebody searches, not before.
'use strict';
(function () {
  const dialog = document.getElementById('search');
  const words = document.getElementById('search-words');
  const count = document.getElementById('search-count');
  const results = document.getElementById('search-results');
  const { root, elasticlunr: reader, searchindex } = document.body.dataset;
  let index = null;
  let loading = null;

  function load(file) {
    return new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = file;
      script.onload = resolve;
      script.onerror = () => reject(new Error(file));
      document.head.append(script);
    });
  }

  function ready() {
    window.search = window.search || {};
    loading = loading || Promise.all([load(reader), load(searchindex)]).then(() => {
      index = window.elasticlunr.Index.load(window.search.index);
    });
    return loading;
  }

  function open() {
    dialog.showModal();
    words.select();
    ready().then(find, () => { count.textContent = 'The search index could not be loaded.'; });
  }

  // The sentence around the first word found, as text: nothing from the index is read as HTML.
  function excerpt(body, terms) {
    const lower = body.toLowerCase();
    const hits = terms.map((term) => lower.indexOf(term)).filter((at) => at >= 0);
    const at = hits.length ? Math.min(...hits) : 0;
    const from = Math.max(0, lower.lastIndexOf(' ', Math.max(0, at - 60)));
    return (from > 0 ? '… ' : '') + body.slice(from, from + 180).trim() + (from + 180 < body.length ? ' …' : '');
  }

  function find() {
    const text = words.value.trim();
    results.replaceChildren();
    count.textContent = '';
    if (!index || !text) return;
    const found = index.search(text, window.search.search_options).slice(0, window.search.results_options.limit_results);
    count.textContent = found.length === 1 ? '1 place' : found.length + ' places';
    const terms = text.toLowerCase().split(/\s+/);
    for (const { ref, doc } of found) {
      const item = document.createElement('li');
      const link = document.createElement('a');
      link.href = root + window.search.doc_urls[ref];
      link.textContent = doc.breadcrumbs;
      const body = document.createElement('p');
      body.textContent = excerpt(doc.body, terms);
      link.append(body);
      item.append(link);
      results.append(item);
    }
  }

  words.addEventListener('input', find);
  document.getElementById('search-open').addEventListener('click', open);
  dialog.addEventListener('click', (event) => { if (event.target === dialog || event.target.closest('#search-results a')) dialog.close(); });
  words.addEventListener('keydown', (event) => {
    const first = results.querySelector('a');
    // In a search field the first Escape would only empty it.
    if (event.key === 'Escape') { event.preventDefault(); dialog.close(); }
    if (event.key === 'Enter') { event.preventDefault(); if (first) first.click(); }
    if (event.key === 'ArrowDown' && first) { event.preventDefault(); first.focus(); }
  });
  results.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = event.target.closest('li')[step];
    if (next) next.querySelector('a').focus(); else if (event.key === 'ArrowUp') words.focus();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input:not([type="radio"]), textarea, select, dialog');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      open();
    }
  });
})();
