/** The page begins here: one state, one view. */
import '../../src/fondaco/office/static/house.css';
import './styles/terminal.css';
import './styles/ticket.css';
import './styles/rows.css';
import { mount } from 'svelte';
import { Terminal } from './model/terminal.svelte.ts';
import App from './views/App.svelte';

const target = document.getElementById('terminal');
if (!target) throw new Error('the page has no #terminal element');

const terminal = new Terminal();
mount(App, { target, props: { terminal } });
terminal.start();
