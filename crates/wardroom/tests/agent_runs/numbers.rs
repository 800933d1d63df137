//! Numbers about models and agents, for Prometheus.

use super::{Set, TOOLS, set_with, world::model_provider::Next};
use serde_json::json;

/// Numbers by their names and labels.
async fn numbers(port: u16) -> String {
    reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn what_models_and_agents_take_is_measured_by_the_names_of_the_conventions() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let set: Set = set_with(&[format!("listen_metrics=127.0.0.1:{port}")]).await;
    set.define("guide", "script/parrot", TOOLS).await;
    set.define("far", "near/small", "retry: {attempts_max: 1}").await;
    let run = set.start("guide", "echo this").await;
    set.over(&run).await;
    let run = set.start("far", "Hi").await;
    set.over(&run).await;
    set.provider.next(&[Next::Fails(400, json!({}))]);
    let run = set.start("far", "Hi").await;
    set.over(&run).await;
    // Whatever name a program gives to a model, it is no label.
    let body =
        json!({"model": "near/of-my-own-making", "messages": [{"role": "user", "content": "Hi"}]});
    let path = "/v1/chat/completions";
    let (status, said) = set.send_as(&set.world.token, reqwest::Method::POST, path, body).await;
    assert_eq!(status, 200, "{said}");
    let text = numbers(port).await;
    let of = |model: &str| {
        let provider = if model == "parrot" { "script" } else { "near" };
        format!(
            "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"{provider}\",gen_ai_request_model=\"{model}\""
        )
    };
    let agent = |name: &str, error: &str| {
        format!(
            "gen_ai_operation_name=\"invoke_agent\",gen_ai_agent_name=\"{name}\",error_type=\"{error}\""
        )
    };
    for line in [
        format!(
            "gen_ai_client_operation_duration_seconds_count{{{},error_type=\"\"}} 2",
            of("parrot")
        ),
        format!(
            "gen_ai_client_operation_duration_seconds_count{{{},error_type=\"\"}} 1",
            of("small")
        ),
        format!(
            "gen_ai_client_operation_duration_seconds_count{{{},error_type=\"invalid\"}} 1",
            of("small")
        ),
        format!(
            "gen_ai_client_operation_duration_seconds_count{{{},error_type=\"\"}} 1",
            of("_OTHER")
        ),
        format!(
            "gen_ai_client_operation_time_to_first_chunk_seconds_count{{{},error_type=\"\"}} 1",
            of("small")
        ),
        format!("gen_ai_client_token_usage_sum{{{},gen_ai_token_type=\"input\"}} 7.0", of("small")),
        format!(
            "gen_ai_client_token_usage_sum{{{},gen_ai_token_type=\"output\"}} 3.0",
            of("small")
        ),
        format!("gen_ai_invoke_agent_duration_seconds_count{{{}}} 1", agent("guide", "")),
        format!("gen_ai_invoke_agent_inference_calls_sum{{{}}} 2.0", agent("guide", "")),
        format!("gen_ai_invoke_agent_tool_calls_sum{{{}}} 1.0", agent("guide", "")),
        format!("gen_ai_invoke_agent_duration_seconds_count{{{}}} 1", agent("far", "invalid")),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("of-my-own-making") && text.ends_with("# EOF\n"), "{text}");
}
