/** The elements of the page that the script changes. */

import { find } from "./find.js";

export const page = {
  status: find("status", HTMLElement),
  name: find("name", HTMLElement),

  notice: find("notice", HTMLElement),
  noticeTitle: find("notice-title", HTMLElement),
  noticeText: find("notice-text", HTMLElement),
  noticeDetails: find("notice-details", HTMLElement),
  noticeExactly: find("notice-exactly", HTMLElement),
  noticeRule: find("notice-rule", HTMLAnchorElement),
  retry: find("retry", HTMLButtonElement),
  software: find("software", HTMLElement),

  start: find("start", HTMLElement),
  size: find("size", HTMLElement),
  progress: find("progress", HTMLElement),
  bar: find("bar", HTMLProgressElement),
  phase: find("phase", HTMLElement),
  amount: find("amount", HTMLElement),
  speed: find("speed", HTMLElement),
  left: find("left", HTMLElement),
  load: find("load", HTMLButtonElement),
  cancel: find("cancel", HTMLButtonElement),

  conversation: find("conversation", HTMLElement),
  messages: find("messages", HTMLOListElement),
  empty: find("empty", HTMLElement),
  composer: find("composer", HTMLFormElement),
  promptLabel: find("prompt-label", HTMLLabelElement),
  prompt: find("prompt", HTMLTextAreaElement),
  fresh: find("fresh", HTMLButtonElement),
  stop: find("stop", HTMLButtonElement),
  send: find("send", HTMLButtonElement),

  settings: find("settings", HTMLFormElement),
  temperature: find("temperature", HTMLInputElement),
  temperatureValue: find("temperature-value", HTMLOutputElement),
  topP: find("top-p", HTMLInputElement),
  topPValue: find("top-p-value", HTMLOutputElement),
  topK: find("top-k", HTMLInputElement),
  seed: find("seed", HTMLInputElement),
  maxTokens: find("max-tokens", HTMLInputElement),
  chat: find("chat", HTMLInputElement),

  device: find("device", HTMLElement),
  timingText: find("timing-text", HTMLElement),
  picture: find("picture", HTMLElement),
  measure: find("measure", HTMLButtonElement),
  stored: find("stored", HTMLElement),
  storedText: find("stored-text", HTMLElement),
  clear: find("clear", HTMLButtonElement),
};
