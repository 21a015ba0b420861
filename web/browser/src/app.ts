import { goLive } from "./live.ts";
import { SignalRClient } from "./signalr-client.ts";
import { showTimes } from "./times.ts";

declare global {
  interface Window {
    signalRClient: SignalRClient;
  }
}

window.signalRClient = new SignalRClient();

showTimes();
setInterval(() => showTimes(), 15_000);

if (document.body.dataset["user"] !== undefined) {
  goLive(window.signalRClient, {
    fetch: (url, init) => fetch(url, init),
    reload: () => window.location.reload(),
  });
}
