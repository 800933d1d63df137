//! The sample agents that come with a first start.

use super::{Set, world::World};
use serde_json::json;
use std::{fs, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/up/samples");

#[tokio::test]
async fn sample_agents_work_without_any_key() {
    let models = Path::new(FOLDER).join("models.toml");
    let set = Set::of(World::with(&[format!("models_file={}", models.display())]).await).await;
    for name in ["guide", "lookout", "first-mate"] {
        let text = fs::read_to_string(Path::new(FOLDER).join(format!("{name}.yaml"))).unwrap();
        set.put_agent(name, &text).await;
    }
    let said = async |run: &str| {
        let (ended, last) = set.over(run).await;
        assert_eq!(ended["state"], "succeeded", "{last}");
        last["text"].as_str().unwrap().to_owned()
    };
    let run = set.start("lookout", "How is the machine?").await;
    let text = said(&run).await;
    assert!(text.contains("what the machine says") && text.contains("Filesystem"), "{text}");
    let run = set.start("first-mate", "Let the lookout look, please").await;
    let text = said(&run).await;
    assert!(text.contains("The lookout reports") && text.contains("Filesystem"), "{text}");
    set.put_agent("own", "name: own\ndescription: Somebody's first\nmodel: {provider: sample, name: parrot}\ninstructions: You help people.\n").await;
    let run = set.start("own", "Hello").await;
    assert!(said(&run).await.starts_with("You said: Hello"));
    // It asks where it was not told, and does what is answered.
    let run = set.start("first-mate", "Hello").await;
    set.world.until(&run, "awaiting_input").await;
    let waits = set.steps(&run).await.last().cloned().unwrap();
    let (status, _) =
        set.answer(&run, json!({"call": waits["call"], "text": "Yes, let it look"})).await;
    assert_eq!(status, 200);
    assert!(said(&run).await.contains("The lookout reports"));
    let mut thread = None;
    for (say, answer) in [
        ("Hi", "a script answers for me"),
        ("What is an agent?", "YAML file"),
        ("Please remember that I like tea", "written it down"),
        ("Who am I?", "I like tea"),
    ] {
        let (run, on) = set.say_to("guide", thread.as_deref(), say).await;
        let text = said(&run).await;
        assert!(text.contains(answer), "{say}: {text}");
        thread = Some(on);
    }
}
