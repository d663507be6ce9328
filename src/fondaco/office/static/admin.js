/*
 * What unfold's pages say in Alpine expressions that Alpine's build without eval can't run:
 * functions of the window, arrow functions, the window's storage. Loaded before Alpine starts.
 * A page that says something else in them tells so on the console, which fails a test.
 */
'use strict';

// htmx: nothing is evaluated, and admin.css has the styles that it would write into the page.
window.htmx.config.allowEval = false;
window.htmx.config.includeIndicatorStyles = false;

document.addEventListener('alpine:init', () => {
  for (const maker of ['theme', 'searchForm', 'searchDropdown', 'searchCommand'])
    window.Alpine.data(maker, window[maker]);

  // The shell of every page: which tab is open, and whether the side bar is.
  const tab = /activeTab: '([^']*)'/.exec(document.body.getAttribute('x-data') ?? '')?.[1];
  const kept = localStorage.getItem('sidebarDesktopOpen');
  window.Alpine.data('shell', () => ({
    activeTab: (tab && window.getCurrentTab()) || tab || '',
    sidebarMobileOpen: false,
    sidebarDesktopOpen: kept === null || kept === '1',
    turnSidebar() {
      this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
      localStorage.setItem('sidebarDesktopOpen', this.sidebarDesktopOpen ? '1' : '0');
    },
    hereWithTab() {
      const { pathname, search } = window.location;
      const isMain = !this.activeTab || this.activeTab === 'general';
      return pathname + search + (isMain ? '' : `#${this.activeTab}`);
    },
  }));
  document.body.setAttribute('x-data', 'shell');
  document.body.removeAttribute('x-init');
  for (const form of document.querySelectorAll('[x-bind\\:action*="window.location"]'))
    form.setAttribute('x-bind:action', 'hereWithTab()');
  for (const button of document.querySelectorAll('[x-on\\:click*="localStorage"]'))
    button.setAttribute('x-on:click', 'turnSidebar()');

  // Whatever is clicked is a button for the keyboard and for those who listen, too.
  const clicked = ':is(a:not([href]), span, div)[x-on\\:click]';
  for (const each of document.querySelectorAll(clicked)) {
    each.setAttribute('role', 'button');
    each.setAttribute('tabindex', '0');
    if (each.matches('.material-symbols-outlined')) each.setAttribute('aria-label', 'Side bar');
    each.addEventListener('keydown', (event) => {
      if (event.target !== each || (event.key !== 'Enter' && event.key !== ' ')) return;
      event.preventDefault();
      each.click();
    });
  }
});
