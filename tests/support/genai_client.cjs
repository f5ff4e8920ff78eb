// One conversation of Google's SDK for JavaScript, and what came of it as a line of JSON:
//
//     NODE_PATH=... NODE_EXTRA_CA_CERTS=... node genai_client.cjs CONVERSATION https://localhost:PORT
"use strict";

const { readFileSync } = require("node:fs");
const { FunctionResponseScheduling, GoogleGenAI, Modality } = require("@google/genai");

const [, , conversation, baseUrl, recording] = process.argv;
const MODEL = "gemini-3.8-live";
const WEATHER = { name: "get_weather", behavior: "BLOCKING" };

/** One link, whose messages are taken one after the other. */
class Link {
  constructor() {
    this.messages = [];
    this.wake = () => {};
    this.end = new Promise((resolve) => {
      this.ended = resolve;
    });
  }

  /** Open a link; the SDK itself never says that a setup was refused. */
  static async open({ model = MODEL, key = "abc", apiVersion = "v1beta", ...config } = {}) {
    const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl, apiVersion } });
    const link = new Link();
    const opening = client.live.connect({
      model,
      config: { responseModalities: [Modality.AUDIO], outputAudioTranscription: {}, ...config },
      callbacks: {
        onmessage: (message) => {
          link.messages.push(message);
          link.wake();
        },
        onclose: ({ code, reason }) => link.ended({ code, reason }),
      },
    });
    link.session = await Promise.race([opening, link.end]);
    return link;
  }

  /** Return what matches, of a message that has it, as soon as one has. */
  async next(match) {
    for (;;) {
      while (this.messages.length > 0) {
        const found = match(this.messages.shift());
        if (found !== undefined) return found;
      }
      const more = new Promise((resolve) => {
        this.wake = resolve;
      });
      const end = await Promise.race([more, this.end]);
      if (end !== undefined && this.messages.length === 0) throw new Error(`the link ended: ${end.code} ${end.reason}`);
    }
  }

  /** Return what an answer came to. */
  async turn() {
    const answer = { heard: "", text: "", bytes: 0, interrupted: false };
    await this.next((message) => {
      const content = message.serverContent ?? {};
      answer.heard += content.inputTranscription?.text ?? "";
      answer.text += content.outputTranscription?.text ?? "";
      for (const part of content.modelTurn?.parts ?? []) {
        answer.bytes += Buffer.from(part.inlineData?.data ?? "", "base64").length;
      }
      answer.interrupted ||= content.interrupted ?? false;
      return content.turnComplete;
    });
    return answer;
  }

  ask(text) {
    this.session.sendClientContent({ turns: text, turnComplete: true });
    return this.turn();
  }

  handle() {
    return this.next((message) => message.sessionResumptionUpdate?.newHandle);
  }

  async close() {
    this.session.close();
    await this.end;
  }
}

const conversations = {
  async text() {
    const link = await Link.open();
    const answer = await link.ask("Hello");
    await link.close();
    return answer;
  },

  async sound() {
    const link = await Link.open({ inputAudioTranscription: {} });
    const pcm = Buffer.concat([readFileSync(recording), Buffer.alloc(32000)]);
    for (let at = 0; at < pcm.length; at += 3200) {
      const data = pcm.subarray(at, at + 3200).toString("base64");
      link.session.sendRealtimeInput({ audio: { data, mimeType: "audio/pcm;rate=16000" } });
    }
    const answer = await link.turn();
    await link.close();
    return answer;
  },

  async tool() {
    const link = await Link.open({ tools: [{ functionDeclarations: [WEATHER] }] });
    link.session.sendClientContent({ turns: "What is the weather?" });
    const { id, name, args } = await link.next((message) => message.toolCall?.functionCalls?.[0]);
    const scheduling = FunctionResponseScheduling.INTERRUPT;
    link.session.sendToolResponse({
      functionResponses: { id, name, response: { is: "sunny" }, scheduling },
    });
    const answer = await link.turn();
    await link.close();
    return { name, args, text: answer.text };
  },

  async interruption() {
    const link = await Link.open();
    link.session.sendClientContent({ turns: "/long" });
    await link.next((message) => message.serverContent?.modelTurn);
    link.session.sendRealtimeInput({ text: "Stop" });
    const { interrupted } = await link.turn();
    const { text } = await link.turn();
    await link.close();
    return { interrupted, text };
  },

  async resumption() {
    const link = await Link.open({ sessionResumption: {} });
    await link.ask("My name is Ana");
    const handle = await link.handle();
    await link.close();
    const resumed = await Link.open({ sessionResumption: { handle } });
    const { text } = await resumed.ask("What did I say?");
    await resumed.close();
    const stale = await Link.open({ sessionResumption: { handle: "stale" } });
    return { text, stale: await stale.end };
  },

  async update() {
    const link = await Link.open();
    link.session.sendContextUpdate({ tools: { tools: [{ functionDeclarations: [WEATHER] }] } });
    link.session.sendClientContent({ turns: "What is the weather?" });
    const { name } = await link.next((message) => message.toolCall?.functionCalls?.[0]);
    await link.close();
    return { name };
  },

  async token() {
    const link = await Link.open({ key: "auth_tokens/one", apiVersion: "v1alpha" });
    const { text } = await link.ask("Hello");
    await link.close();
    return { text };
  },

  async refused() {
    const setups = [
      { model: "gemini-2.0-flash-live-001" },
      { responseModalities: [Modality.TEXT] },
      { thinkingConfig: { thinkingBudget: 5 } },
      { key: "bad" },
    ];
    const links = await Promise.all(setups.map((setup) => Link.open(setup)));
    return Promise.all(links.map((link) => link.end));
  },
};

conversations[conversation]().then((found) => {
  console.log(JSON.stringify(found));
  process.exit();
});
