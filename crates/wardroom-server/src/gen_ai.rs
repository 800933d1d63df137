//! Numbers about models and agents, by the names of OpenTelemetry's conventions for generative AI.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode_registry},
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::sync::{Arc, Mutex, PoisonError};
use wardroom_engine::measure::{AgentMeasure, Meter, ModelMeasure};

/// Bounds that the conventions name: for tokens, and for seconds.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// How often something is done in a run.
const TIMES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: String,
    gen_ai_request_model: String,
    gen_ai_token_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: String,
    gen_ai_request_model: String,
    error_type: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Invocation {
    gen_ai_operation_name: &'static str,
    gen_ai_agent_name: String,
    error_type: String,
}

/// The numbers.
#[derive(Clone)]
pub(crate) struct GenAi {
    registry: Arc<Mutex<Registry>>,
    tokens: Family<Tokens, Histogram>,
    duration: Family<Operation, Histogram>,
    first: Family<Operation, Histogram>,
    agent: Family<Invocation, Histogram>,
    steps: Family<Invocation, Histogram>,
    tool_calls: Family<Invocation, Histogram>,
}

impl GenAi {
    /// None yet.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let all = Self {
            registry: Arc::default(),
            tokens: Family::new_with_constructor(|| Histogram::new(TOKENS)),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            first: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            agent: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            steps: Family::new_with_constructor(|| Histogram::new(TIMES)),
            tool_calls: Family::new_with_constructor(|| Histogram::new(TIMES)),
        };
        registry.register(
            "gen_ai_client_token_usage",
            "Tokens that providers of models counted",
            all.tokens.clone(),
        );
        for (name, about, family) in [
            ("operation_duration", "Time that questions to models took", &all.duration),
            ("operation_time_to_first_chunk", "Time until models began to answer", &all.first),
        ] {
            let name = format!("gen_ai_client_{name}");
            registry.register_with_unit(name, about, Unit::Seconds, family.clone());
        }
        registry.register_with_unit(
            "gen_ai_invoke_agent_duration",
            "Time that runs of agents took, with what they waited for",
            Unit::Seconds,
            all.agent.clone(),
        );
        for (name, about, family) in [
            ("inference_calls", "Questions to models in runs of agents", &all.steps),
            ("tool_calls", "Calls of tools in runs of agents", &all.tool_calls),
        ] {
            registry.register(format!("gen_ai_invoke_agent_{name}"), about, family.clone());
        }
        Self { registry: Arc::new(Mutex::new(registry)), ..all }
    }

    /// Writes them to the end of `text`.
    pub(crate) fn tell(&self, text: &mut String) -> std::fmt::Result {
        encode_registry(text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A provider's name: a well-known one, or that of settings.
fn provider(measure: &ModelMeasure) -> String {
    match measure.kind {
        "openai" | "anthropic" => measure.kind.to_owned(),
        "bedrock" => "aws.bedrock".to_owned(),
        _ => measure.provider.clone(),
    }
}

impl Meter for GenAi {
    fn model(&self, measure: &ModelMeasure) {
        let gen_ai_operation_name = "chat";
        let gen_ai_provider_name = provider(measure);
        let gen_ai_request_model = measure.model.clone().unwrap_or_else(|| "_OTHER".to_owned());
        let used = measure.usage.iter().flat_map(|usage| {
            let input = usage.total().saturating_sub(usage.output_tokens);
            [("input", input), ("output", usage.output_tokens)]
        });
        for (gen_ai_token_type, tokens) in used {
            let labels = Tokens {
                gen_ai_operation_name,
                gen_ai_provider_name: gen_ai_provider_name.clone(),
                gen_ai_request_model: gen_ai_request_model.clone(),
                gen_ai_token_type,
            };
            self.tokens.get_or_create(&labels).observe(tokens as f64);
        }
        let error_type = measure.failure.map_or_else(String::new, |kind| kind.as_str().to_owned());
        let labels = Operation {
            gen_ai_operation_name,
            gen_ai_provider_name,
            gen_ai_request_model,
            error_type,
        };
        self.duration.get_or_create(&labels).observe(measure.took.as_secs_f64());
        if let Some(first) = measure.first {
            self.first.get_or_create(&labels).observe(first.as_secs_f64());
        }
    }

    fn agent(&self, measure: &AgentMeasure) {
        let labels = Invocation {
            gen_ai_operation_name: "invoke_agent",
            gen_ai_agent_name: measure.agent.clone(),
            error_type: measure.failure.clone().unwrap_or_default(),
        };
        self.agent.get_or_create(&labels).observe(measure.took.as_secs_f64());
        self.steps.get_or_create(&labels).observe(measure.steps.into());
        self.tool_calls.get_or_create(&labels).observe(measure.tool_calls.into());
    }
}
