// Puts the page into the shell that the server sends.
import "./dashboard.css";
import { mount } from "svelte";
import App from "./page/App.svelte";

const target = document.getElementById("app");
if (target) mount(App, { target });
