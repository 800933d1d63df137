//! What the documents say about the workspace is compared with what is there: the dependency
//! arrows, the code map, the error pages, the controls and the rules for source files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// A source file longer than this holds more than one idea.
const FILE_LINES_MAX: usize = 600;

/// Names that say nothing about what is inside, so that everything ends up there.
const MODULE_NAMES_REFUSED: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

const SOURCE_EXTENSIONS: &[&str] = &["css", "html", "js", "mjs", "rs", "sql"];

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace's root")
}

fn read(relative: &str) -> String {
    let path = root().join(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a folder, sorted; none when there is no such folder.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().expect("a UTF-8 file name"))
        .collect();
    names.sort();
    names
}

fn folders_in(folder: &Path) -> Vec<String> {
    let mut names = names_in(folder);
    names.retain(|name| folder.join(name).is_dir());
    names
}

/// Every source file beneath `folder`, without what is fetched or made.
fn sources_beneath(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for name in names_in(&folder) {
            let path = folder.join(&name);
            if path.is_dir() {
                if !["node_modules", "out", "target"].contains(&name.as_str()) {
                    waiting.push(path);
                }
            } else if has_extension(&path, SOURCE_EXTENSIONS) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|found| extensions.contains(&found))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with all mistakes at once, so that one run is enough to mend them.
fn assert_none(mistakes: &[String], what: &str) {
    assert!(mistakes.is_empty(), "{what}:\n  {}", mistakes.join("\n  "));
}

// --- Dependency arrows. -------------------------------------------------------------------------

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// `wardroom-core` is called `core`; the binary `wardroom` keeps its name.
fn short(name: &str) -> String {
    name.strip_prefix("wardroom-").unwrap_or(name).to_owned()
}

/// The lines `from -> to, to` of the code block that opens with ` ```arrows `.
fn arrows_stated(document: &str) -> Arrows {
    let block = document
        .split_once("```arrows\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(block, _)| block)
        .expect("ARCHITECTURE.md has a code block that opens with ```arrows");
    let mut arrows = Arrows::new();
    for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (from, to) = line.split_once("->").unwrap_or_else(|| panic!("no arrow in {line:?}"));
        let to = to.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let before = arrows.insert(from.trim().to_owned(), to.collect());
        assert!(before.is_none(), "{} has two lines", from.trim());
    }
    arrows
}

/// What each crate depends on when it is built, among the workspace's own crates.
fn arrows_found() -> Arrows {
    #[expect(clippy::disallowed_methods, reason = "a test asks cargo about the workspace")]
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo's metadata");
    let members: BTreeSet<String> =
        metadata.packages.iter().map(|package| package.name.clone()).collect();
    let arrows_of = |package: &Package| {
        let own = package.dependencies.iter().filter(|dependency| {
            dependency.kind.as_deref() != Some("dev") && members.contains(&dependency.name)
        });
        own.map(|dependency| short(&dependency.name)).collect()
    };
    metadata.packages.iter().map(|package| (short(&package.name), arrows_of(package))).collect()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[test]
fn dependency_arrows_are_as_the_architecture_states() {
    let stated = arrows_stated(&read("ARCHITECTURE.md"));
    let found = arrows_found();
    let none = BTreeSet::new();
    let crates: BTreeSet<&String> = stated.keys().chain(found.keys()).collect();
    let mut mistakes = vec![];
    for name in crates {
        match (stated.get(name), found.get(name)) {
            (None, _) => mistakes.push(format!("{name} has no line")),
            (_, None) => mistakes.push(format!("{name} has a line, but is no crate")),
            (Some(stated), Some(found)) => {
                let missing = found.difference(stated).map(|to| (to, "is there, but not stated"));
                let gone = stated.difference(found).map(|to| (to, "is stated, but not there"));
                mistakes
                    .extend(missing.chain(gone).map(|(to, why)| format!("{name} -> {to} {why}")));
            }
        }
    }
    assert_none(&mistakes, "ARCHITECTURE.md and cargo disagree on the arrows");
    assert_eq!(found.get("core").unwrap_or(&none), &none, "core depends on no other crate");
}

// --- Code map. ----------------------------------------------------------------------------------

/// The paths of the lines ``- `crates/…` ``, without a closing slash.
fn code_map(document: &str) -> BTreeSet<String> {
    document
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- `"))
        .filter_map(|rest| rest.split_once('`'))
        .map(|(path, _)| path.trim_end_matches('/').to_owned())
        .filter(|path| path.starts_with("crates/"))
        .collect()
}

#[test]
fn code_map_names_what_is_there() {
    let map = code_map(&read("ARCHITECTURE.md"));
    let mut mistakes: Vec<String> = map
        .iter()
        .filter(|path| !root().join(path).exists())
        .map(|path| format!("{path} is named, but not there"))
        .collect();
    for name in folders_in(&root().join("crates")) {
        let folder = format!("crates/{name}");
        let modules = folders_in(&root().join(&folder).join("src"));
        let mut wanted = vec![folder.clone()];
        wanted.extend(modules.iter().map(|module| format!("{folder}/src/{module}")));
        mistakes.extend(
            wanted
                .into_iter()
                .filter(|path| !map.contains(path))
                .map(|path| format!("{path} is there, but not named")),
        );
    }
    assert_none(&mistakes, "ARCHITECTURE.md's code map is not what is there");
}

// --- Error pages. -------------------------------------------------------------------------------

#[test]
fn each_error_code_has_its_page_and_no_other_page_is_there() {
    let codes: BTreeSet<&str> =
        wardroom_wire::error::ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut mistakes = vec![];
    for code in &codes {
        let path = format!("docs/errors/{code}.md");
        match fs::read_to_string(root().join(&path)) {
            Err(error) => mistakes.push(format!("{path}: {error}")),
            Ok(text) => {
                mistakes.extend(page_mistake(code, &text).map(|why| format!("{path}: {why}")))
            }
        }
    }
    for name in names_in(&root().join("docs/errors")) {
        let code = name.trim_end_matches(".md");
        if name != "README.md" && !codes.contains(code) {
            mistakes.push(format!("docs/errors/{name} explains no code"));
        }
    }
    assert_none(&mistakes, "docs/errors is not complete");
}

/// A page opens with a title that holds the code, and says at least a sentence or two.
fn page_mistake(code: &str, text: &str) -> Option<&'static str> {
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default();
    let words = lines.flat_map(str::split_whitespace).count();
    if !title.starts_with("# ") || !title.contains(code) {
        Some("the first line is a title that holds the code")
    } else if words < 20 {
        Some("says too little: what happened, what it means, what to do")
    } else {
        None
    }
}

// --- Controls. ----------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Controls {
    control: Vec<Control>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    id: String,
    #[serde(default)]
    title: String,
    status: Status,
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Enforced,
    Configurable,
    Operator,
    Planned,
}

#[test]
fn controls_are_proven_by_tests_that_exist() {
    let controls: Controls = toml::from_str(&read("docs/controls.toml")).expect("controls.toml");
    assert!(!controls.control.is_empty(), "no control is listed");
    let mut mistakes = vec![];
    let mut ids = BTreeSet::new();
    let mut sources = BTreeMap::new();
    for control in &controls.control {
        let id = &control.id;
        if !ids.insert(id) {
            mistakes.push(format!("{id} is listed twice"));
        }
        let proven = matches!(control.status, Status::Enforced | Status::Configurable);
        if proven && control.tests.is_empty() {
            mistakes.push(format!("{id} counts as in force, but no test proves it"));
        }
        if control.status == Status::Operator && control.note.is_empty() {
            mistakes.push(format!("{id} is the operator's, but no note says what to do"));
        }
        if control.title.is_empty() {
            mistakes.push(format!("{id} has no title"));
        }
        let unproven = control.tests.iter().filter_map(|test| test_mistake(test, &mut sources));
        mistakes.extend(unproven.map(|why| format!("{id}: {why}")));
    }
    assert_none(&mistakes, "docs/controls.toml promises what is not there");
}

#[test]
fn documents_on_security_speak_of_what_is_there() {
    let controls: Controls = toml::from_str(&read("docs/controls.toml")).expect("controls.toml");
    let known: BTreeSet<&str> = controls.control.iter().map(|one| one.id.as_str()).collect();
    let mut mistakes = vec![];
    for document in ["docs/threat-model.md", "docs/asvs.md", "docs/data-flow.md"] {
        let text = read(document);
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            let is_id = word.split_once('-').is_some_and(|(letter, number)| {
                letter.len() == 1 && "IAENDWGV".contains(letter) && number.parse::<u8>().is_ok()
            });
            if is_id && !known.contains(word) {
                mistakes.push(format!("{document} names {word}, which no control is"));
            }
        }
    }
    // Whoever adds a table says what is in it.
    let told = read("docs/data-flow.md");
    let folder = root().join("crates/wardroom-store/migrations/sqlite");
    for file in fs::read_dir(folder).expect("migrations") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("its text");
        let tables = text.split("CREATE TABLE ").skip(1);
        let names = tables
            .filter_map(|rest| rest.trim_start_matches("IF NOT EXISTS ").split([' ', '(']).next());
        for name in names.map(|name| name.rsplit('.').next().unwrap_or(name)) {
            let is_told =
                told.contains(&format!("`{name}`")) || told.contains(&format!("`{name}."));
            if !is_told && !name.ends_with("_new") {
                mistakes.push(format!("docs/data-flow.md does not say what is in {name}"));
            }
        }
    }
    assert_none(&mistakes, "documents on security are not true");
}

/// The text of every Rust source of one crate.
type Sources = BTreeMap<String, Vec<String>>;

/// A test is named `crate_name::module::function`, or `e2e/file.test.mjs: name of the test`.
fn test_mistake(test: &str, sources: &mut Sources) -> Option<String> {
    if let Some((file, name)) = test.split_once(": ").filter(|(file, _)| file.starts_with("e2e/")) {
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            return Some(format!("there is no {file}"));
        };
        let quoted = ['\'', '"', '`'].map(|quote| format!("test({quote}{name}{quote}"));
        let found = quoted.iter().any(|wanted| text.contains(wanted));
        return (!found).then(|| format!("{file} has no test({name:?})"));
    }
    let Some(((package, _), (_, function))) = test.split_once("::").zip(test.rsplit_once("::"))
    else {
        return Some(format!("{test}: expected crate_name::module::function"));
    };
    let package = package.replace('_', "-");
    let texts = sources.entry(package.clone()).or_insert_with(|| rust_sources(&package));
    if texts.is_empty() {
        return Some(format!("{test}: there is no crate {package}"));
    }
    let is_test = texts.iter().any(|text| defines_test(text, function))
        || is_registered_test(texts, function);
    (!is_test).then(|| format!("{test}: no test function {function} in crates/{package}"))
}

fn rust_sources(package: &str) -> Vec<String> {
    let files = sources_beneath(&root().join("crates").join(package));
    let rust = files.iter().filter(|path| has_extension(path, &["rs"]));
    rust.map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn is_definition(line: &str, function: &str) -> bool {
    let after = line.split_once("fn ").map(|(_, after)| after.trim_start());
    let rest = after.and_then(|after| after.strip_prefix(function));
    rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

/// Whether the text defines the function with a `#[test]`, `#[tokio::test]` or the like above it.
fn defines_test(text: &str, function: &str) -> bool {
    let mut has_attribute = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            has_attribute |= line.contains("test]") || line.contains("test(");
        } else if is_definition(line, function) {
            if has_attribute {
                return true;
            }
        } else if !line.starts_with("//") {
            has_attribute = false;
        }
    }
    false
}

/// Whether the function is defined and named once more, as the cases are that a macro runs on both
/// stores (`conformance! { case, … }`).
fn is_registered_test(texts: &[String], function: &str) -> bool {
    let mut lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let is_defined = lines.clone().any(|line| is_definition(line, function));
    let is_named = lines.any(|line| {
        !line.starts_with("//")
            && !is_definition(line, function)
            && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == function)
    });
    is_defined && is_named
}

// --- Source files. ------------------------------------------------------------------------------

fn all_sources() -> Vec<PathBuf> {
    let mut files = sources_beneath(&root().join("crates"));
    files.extend(sources_beneath(&root().join("e2e")));
    files
}

/// The routes of the table that belong to the API, as `METHOD /path`.
fn api_routes(table: &str) -> BTreeSet<String> {
    let routes = table.split("Method::").skip(1).filter_map(|rest| {
        let (method, rest) = rest.split_once(',')?;
        let path = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        path.starts_with("/api/v1/").then(|| format!("{method} {path}"))
    });
    routes.collect()
}

#[test]
fn the_api_document_describes_every_route_of_the_table() {
    let routes = api_routes(&read("crates/wardroom-server/src/routes/api.rs"));
    assert!(routes.len() > 25, "the table is not read: {routes:?}");
    let document: serde_json::Value =
        serde_json::from_str(&read("docs/reference/openapi.json")).expect("it is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    let described: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().into_iter().flatten();
            methods.map(move |(method, _)| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(routes, described);
}

#[test]
fn no_source_file_is_too_long() {
    let too_long: Vec<String> = all_sources()
        .iter()
        .map(|path| (path, fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{} has {lines} lines", relative(path)))
        .collect();
    assert_none(&too_long, "these files hold more than one idea");
}

#[test]
fn module_names_say_what_is_inside() {
    let mut mistakes = vec![];
    for path in all_sources() {
        let inside = relative(&path);
        let parts = inside.split(['/', '.']).filter(|part| MODULE_NAMES_REFUSED.contains(part));
        mistakes.extend(parts.map(|part| format!("{inside}: {part}")));
        if has_extension(&path, &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let modules = text.lines().filter_map(|line| line.split_once("mod "));
            let names =
                modules.filter(|(before, _)| before.trim().is_empty() || before.contains("pub"));
            let refused = names
                .filter_map(|(_, rest)| rest.split([' ', ';', '{']).next())
                .filter(|name| MODULE_NAMES_REFUSED.contains(name));
            mistakes.extend(refused.map(|name| format!("{inside}: mod {name}")));
        }
    }
    assert_none(&mistakes, "these names say nothing about what is inside");
}

// --- The readers themselves. --------------------------------------------------------------------

#[test]
fn readers_understand_the_documents_form() {
    let arrows = arrows_stated("x\n```arrows\ncore ->\nserver -> core, wire\n```\n");
    assert_eq!(arrows.len(), 2);
    assert_eq!(arrows.get("server").map(BTreeSet::len), Some(2));
    let map = code_map("- `crates/a/src/b/`: text\n  - `crates/a`\n- `docs/x`\nsee `crates/z`\n");
    assert_eq!(map.into_iter().collect::<Vec<_>>(), ["crates/a", "crates/a/src/b"]);
    assert!(defines_test("#[test]\n/// Doc.\nfn a() {}", "a"));
    assert!(defines_test("#[tokio::test(flavor = \"multi_thread\")]\nasync fn a() {}", "a"));
    assert!(!defines_test("#[test]\nfn b() {}\nfn a() {}", "a"));
    assert!(!defines_test("#[test]\nfn ab() {}", "a"));
    let suite = ["pub async fn a(store: &Store) {}".to_owned(), "cases! { a, b }".to_owned()];
    assert!(is_registered_test(&suite, "a"));
    assert!(!is_registered_test(&suite, "b"));
    assert!(page_mistake("busy", "# Too busy\n").is_some());
}
