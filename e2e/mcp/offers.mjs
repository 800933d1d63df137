// What the fixture offers: tools, prompts and things to read that the protocol's conformance suite asks for by name.
// How a tool asks its client something differs by era; here it only says what.

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

/** Something that only the client can say. */
export class Missing extends Error {
  constructor(requests, state) {
    super("input is missing");
    this.requests = requests;
    this.state = state;
  }
}

export class RpcError extends Error {
  constructor(code, message, data) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

const text = (value) => ({ content: [{ type: "text", text: value }] });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const form = (message, properties, required = Object.keys(properties)) => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties, required } },
});
const sample = (prompt, maxTokens = 100) => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens },
});
const roots = () => ({ method: "roots/list", params: {} });
const said = (response, field) => {
  const value = response?.content?.[field];
  return typeof value === "string" ? value : "unknown";
};

const object = (properties = {}, required = Object.keys(properties)) => ({
  type: "object",
  properties,
  ...(required.length ? { required } : {}),
});

/** name → { description, inputSchema, run(args, context), only?: era } */
const tools = {
  test_simple_text: {
    description: "Answers with text",
    run: () => text("This is a simple text response for testing."),
  },
  test_image_content: {
    description: "Answers with an image",
    run: () => ({ content: [{ type: "image", data: PIXEL, mimeType: "image/png" }] }),
  },
  test_audio_content: {
    description: "Answers with sound",
    run: () => ({ content: [{ type: "audio", data: SILENCE, mimeType: "audio/wav" }] }),
  },
  test_embedded_resource: {
    description: "Answers with something to read",
    run: () => ({
      content: [
        {
          type: "resource",
          resource: {
            uri: "test://embedded-resource",
            mimeType: "text/plain",
            text: "This is an embedded resource content.",
          },
        },
      ],
    }),
  },
  test_multiple_content_types: {
    description: "Answers with several kinds of content",
    run: () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        { type: "image", data: PIXEL, mimeType: "image/png" },
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    }),
  },
  test_error_handling: {
    description: "Answers that it could not do it",
    run: () => ({ ...text("This tool intentionally returns an error for testing"), isError: true }),
  },
  test_tool_with_progress: {
    description: "Tells how far it is",
    run: async (_, context) => {
      for (const progress of [0, 50, 100]) {
        context.progress({ progress, total: 100, message: `Completed step ${progress} of 100` });
        await sleep(20);
      }
      return text(String(context.token ?? "none"));
    },
  },
  test_tool_with_logging: {
    description: "Says what it does",
    run: async (_, context) => {
      for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
        context.log("info", data);
        await sleep(20);
      }
      return text("Tool with logging executed successfully");
    },
  },
  test_logging_tool: {
    description: "Says something where that is wanted",
    run: (_, context) => {
      context.log("info", "Logging was asked for");
      return text("Logging evaluated");
    },
  },
  test_streaming_elicitation: {
    description: "Answers in pieces",
    run: (_, context) => {
      context.progress({ progress: 50, total: 100 });
      return text("Streaming complete");
    },
  },
  test_sampling: {
    description: "Asks the client's model",
    inputSchema: object({ prompt: { type: "string", description: "What is asked" } }),
    run: async ({ prompt }, context) => {
      const { sampled } = await context.ask({ sampled: sample(prompt) });
      return text(`LLM response: ${sampled.content?.text ?? "No response"}`);
    },
  },
  test_elicitation: {
    description: "Asks the client's user",
    inputSchema: object({ message: { type: "string", description: "What is asked" } }),
    run: async ({ message }, context) => {
      const property = { type: "string", description: "User's response" };
      const { answer } = await context.ask({ answer: form(message, { response: property }) });
      const content = JSON.stringify(answer.content ?? {});
      return text(`User response: action=${answer.action}, content=${content}`);
    },
  },
  test_elicitation_sep1034_defaults: {
    description: "Asks with defaults",
    run: async (_, context) => {
      const properties = {
        name: { type: "string", description: "User name", default: "John Doe" },
        age: { type: "integer", description: "User age", default: 30 },
        score: { type: "number", description: "User score", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", description: "Verification status", default: true },
      };
      const asked = form("Please review and update the form fields with defaults", properties, []);
      const { answer } = await context.ask({ answer: asked });
      return text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
    },
  },
  test_elicitation_sep1330_enums: {
    description: "Asks for choices",
    run: async (_, context) => {
      const options = ["option1", "option2", "option3"];
      const titled = [
        { const: "value1", title: "First Option" },
        { const: "value2", title: "Second Option" },
        { const: "value3", title: "Third Option" },
      ];
      const many = { type: "array", minItems: 1, maxItems: 3 };
      const properties = {
        untitledSingle: { type: "string", enum: options },
        titledSingle: { type: "string", oneOf: titled },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { ...many, items: { type: "string", enum: options } },
        titledMulti: { ...many, items: { anyOf: titled } },
      };
      const asked = form("Please select options from the enum fields", properties, []);
      const { answer } = await context.ask({ answer: asked });
      return text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
    },
  },
  json_schema_2020_12_tool: {
    description: "Takes what JSON Schema 2020-12 can describe",
    inputSchema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } },
        },
      },
      properties: {
        name: { type: "string" },
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" },
        email: { type: "string" },
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
    run: (args) => text(`JSON Schema 2020-12 tool called with: ${JSON.stringify(args)}`),
  },
  test_reconnection: {
    description: "Lets go of its stream and answers on the next one",
    only: "legacy",
    run: async (_, context) => {
      context.letGo();
      await sleep(100);
      return text("Reconnection test completed successfully.");
    },
  },
  test_missing_capability: {
    description: "Needs a client that can sample",
    run: (_, context) => {
      if (!context.capabilities.sampling) {
        throw new RpcError(-32021, "this takes a client that can sample", {
          requiredCapabilities: { sampling: {} },
        });
      }
      return text("Success");
    },
  },
  test_input_required_result_elicitation: {
    description: "Asks for a name",
    run: async (_, context) => {
      const { user_name } = await context.ask({
        user_name: form("What is your name?", { name: { type: "string" } }),
      });
      return text(`Hello, ${said(user_name, "name")}!`);
    },
  },
  test_input_required_result_sampling: {
    description: "Asks the client's model",
    run: async (_, context) => {
      const { sample_request } = await context.ask({
        sample_request: sample("What is the capital of France?"),
      });
      return text(`Sampling result: ${sample_request.content?.text ?? "no response"}`);
    },
  },
  test_input_required_result_list_roots: {
    description: "Asks for roots",
    run: async (_, context) => {
      const { roots_request } = await context.ask({ roots_request: roots() });
      return text(`Found ${roots_request.roots?.length ?? 0} root(s)`);
    },
  },
  test_input_required_result_request_state: {
    description: "Asks, and wants something back",
    run: async (_, context) => {
      const { confirm } = await context.ask(
        { confirm: form("Please confirm", { ok: { type: "boolean" } }) },
        { kind: "request-state" },
      );
      if (context.state && context.state.kind !== "request-state") throw new RpcError(-32602, "another state");
      return text(confirm.content?.ok === true ? "state-ok: requestState validated" : "state-odd");
    },
  },
  test_input_required_result_multiple_inputs: {
    description: "Asks several things at once",
    run: async (_, context) => {
      const answers = await context.ask(
        {
          user_name: form("What is your name?", { name: { type: "string" } }),
          greeting: sample("Write a greeting", 50),
          client_roots: roots(),
        },
        { kind: "multiple-inputs" },
      );
      const greeting = answers.greeting.content?.text ?? "Hello there!";
      const count = answers.client_roots.roots?.length ?? 0;
      return text(`Name: ${said(answers.user_name, "name")}; Greeting: ${greeting}; Roots: ${count}`);
    },
  },
  test_input_required_result_multi_round: {
    description: "Asks twice",
    run: async (_, context) => {
      let name = context.state?.name;
      if (context.state?.round !== 2) {
        const { step1 } = await context.ask(
          { step1: form("Step 1: What is your name?", { name: { type: "string" } }) },
          { round: 1 },
        );
        name = said(step1, "name");
      }
      const { step2 } = await context.ask(
        { step2: form("Step 2: What is your favorite color?", { color: { type: "string" } }) },
        { round: 2, name },
      );
      return text(`Multi-round complete for ${name} who likes ${said(step2, "color")}`);
    },
  },
  test_input_required_result_tampered_state: {
    description: "Wants its state back as it was",
    run: async (_, context) => {
      await context.ask(
        { confirm: form("Please confirm", { ok: { type: "boolean" } }) },
        { kind: "tamper-test" },
      );
      return text("integrity-ok: state verified");
    },
  },
  test_input_required_result_capabilities: {
    description: "Asks what the client can be asked",
    run: async (_, context) => {
      const asked = {};
      if (context.capabilities.elicitation) {
        asked.elicit_input = form("Elicitation input", { value: { type: "string" } });
      }
      if (context.capabilities.sampling) asked.sample_input = sample("Sample request", 50);
      if (!Object.keys(asked).length) return text("No supported capabilities declared");
      const answers = await context.ask(asked, { kind: "capabilities-test" });
      return text(`capabilities-ok: received ${Object.keys(answers).join(",")}`);
    },
  },
  test_trigger_tool_change: {
    description: "Tells that the tools changed",
    run: (_, context) => {
      context.changed("notifications/tools/list_changed");
      return text("Mutation triggered");
    },
  },
  test_trigger_prompt_change: {
    description: "Tells that the prompts changed",
    run: (_, context) => {
      context.changed("notifications/prompts/list_changed");
      return text("Mutation triggered");
    },
  },
};

const resources = {
  "test://static-text": { name: "static-text", mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { name: "static-binary", mimeType: "image/png", blob: PIXEL },
  "test://watched-resource": { name: "watched-resource", mimeType: "text/plain", text: "Watched resource content" },
};

const prompts = {
  test_simple_prompt: {
    description: "A prompt without arguments",
    run: () => [{ role: "user", content: { type: "text", text: "This is a simple prompt for testing." } }],
  },
  test_prompt_with_arguments: {
    description: "A prompt with arguments",
    arguments: ["arg1", "arg2"],
    run: ({ arg1, arg2 }) => [
      { role: "user", content: { type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` } },
    ],
  },
  test_prompt_with_embedded_resource: {
    description: "A prompt with something to read",
    arguments: ["resourceUri"],
    run: ({ resourceUri }) => [
      {
        role: "user",
        content: {
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." },
        },
      },
      { role: "user", content: { type: "text", text: "Please process the embedded resource above." } },
    ],
  },
  test_prompt_with_image: {
    description: "A prompt with an image",
    run: () => [
      { role: "user", content: { type: "image", data: PIXEL, mimeType: "image/png" } },
      { role: "user", content: { type: "text", text: "Please analyze the image above." } },
    ],
  },
  test_input_required_result_prompt: {
    description: "A prompt that asks first",
    run: async (_, context) => {
      const { user_context } = await context.ask({
        user_context: form("What context should the prompt use?", { context: { type: "string" } }),
      });
      return [{ role: "user", content: { type: "text", text: `Prompt with context: ${said(user_context, "context")}` } }];
    },
  },
};

/** Answers a method that both eras have; `context` is how this one talks with its client. */
export async function answer(method, params, context) {
  switch (method) {
    case "tools/list": {
      const listed = Object.entries(tools).filter(([, tool]) => !tool.only || tool.only === context.era);
      return {
        tools: listed.map(([name, { description, inputSchema }]) => ({
          name,
          description,
          inputSchema: inputSchema ?? { type: "object", properties: {} },
        })),
      };
    }
    case "tools/call": {
      const tool = tools[params.name];
      if (!tool) throw new RpcError(-32602, `there is no tool ${params.name}`);
      return tool.run(params.arguments ?? {}, context);
    }
    case "resources/list":
      return {
        resources: Object.entries(resources).map(([uri, { name, mimeType }]) => ({ uri, name, mimeType })),
      };
    case "resources/templates/list":
      return {
        resourceTemplates: [
          { uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" },
        ],
      };
    case "resources/read": {
      const { uri } = params;
      const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
      if (id) {
        const data = { id, templateTest: true, data: `Data for ID: ${id}` };
        return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify(data) }] };
      }
      const found = resources[uri];
      if (!found) throw new RpcError(context.era === "modern" ? -32602 : -32002, `there is no ${uri}`, { uri });
      const { name: _, ...content } = found;
      return { contents: [{ uri, ...content }] };
    }
    case "prompts/list":
      return {
        prompts: Object.entries(prompts).map(([name, prompt]) => ({
          name,
          description: prompt.description,
          ...(prompt.arguments
            ? { arguments: prompt.arguments.map((name) => ({ name, required: true })) }
            : {}),
        })),
      };
    case "prompts/get": {
      const prompt = prompts[params.name];
      if (!prompt) throw new RpcError(-32602, `there is no prompt ${params.name}`);
      return { messages: await prompt.run(params.arguments ?? {}, context) };
    }
    case "completion/complete":
      return { completion: { values: [], total: 0, hasMore: false } };
    default:
      throw new RpcError(-32601, `there is no method ${method}`);
  }
}
