// The matrix that every behaviour is tested over: transports x protocols.
import { describe } from 'node:test';
import { HttpTransportType } from '@microsoft/signalr';
import { json, messagePack, LongPolling, ServerSentEvents, WebSockets } from './client.mjs';
import { isReference } from './server.mjs';

/** Why a MessagePack test cannot run here, or false. A foreign server that has it says so by its environment. */
export const noMessagePack = isReference && process.env.SIGNALR_REFERENCE_MESSAGEPACK !== '1'
  && 'the reference server has no MessagePack';

function cell(transport, protocol) {
  return {
    ...protocol,
    transport,
    name: `${HttpTransportType[transport]}, ${protocol.name}`,
    skip: protocol === messagePack && noMessagePack,
  };
}

/** All combinations that exist: server-sent events carry text only, so MessagePack is not for them. */
export const cells = [
  cell(WebSockets, json),
  cell(WebSockets, messagePack),
  cell(ServerSentEvents, json),
  cell(LongPolling, json),
  cell(LongPolling, messagePack),
];

export const [webSocketsJSON, webSocketsMessagePack, serverSentEventsJSON, longPollingJSON, longPollingMessagePack] = cells;

/** A suite for each combination. */
export function matrix(title, define, over = cells) {
  for (const cell of over) describe(`${title} (${cell.name})`, { skip: cell.skip }, () => define(cell));
}
