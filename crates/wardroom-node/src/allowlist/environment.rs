//! Values that reach a program through its environment: what stands there can be read by its own user alone,
//! where every user of the machine can read a running program's arguments.

use super::{entry::Entry, parse::Wrong};
use std::collections::BTreeMap;
use wardroom_core::tool::hosted::is_variable;

/// Set for every program.
const OWN: [&str; 4] = ["HOME", "LANG", "PATH", "TMPDIR"];
/// What loaders, libraries and interpreters take for orders: a value from outside would be one.
const ORDERS: [&str; 7] =
    ["BASH_ENV", "ENV", "GCONV_PATH", "HOSTALIASES", "IFS", "LOCALDOMAIN", "RES_OPTIONS"];
const ORDERING: [&str; 9] =
    ["BASH_", "GLIBC_", "JAVA_", "LD_", "MALLOC_", "NODE_", "PERL", "PYTHON", "RUBY"];

/// The parameters of `entry` whose values go into the environment, and their names there.
pub(super) fn environment(entry: &Entry, wrong: &mut Wrong) -> BTreeMap<String, String> {
    let mut names = BTreeMap::<String, String>::new();
    for parameter in &entry.parameters {
        let (given, at) = (parameter.get_ref(), parameter.span());
        let Some(name) = &given.environment else {
            if given.secret {
                let message = "a secret must not be an argument, which every user of this machine can read: \
                               give environment = \"NAME\" and take it out of arguments";
                wrong.add(at, format!("parameter {:?}: {message}", given.name));
            }
            continue;
        };
        if let Err(why) = check(name) {
            wrong.add(at.clone(), format!("environment {name:?}: {why}"));
        }
        if given.kind == "flag" {
            wrong.add(at.clone(), "a flag becomes arguments and has no value for the environment");
        }
        if names.values().any(|known| known == name) {
            wrong.add(at, format!("the environment would have {name:?} twice"));
        }
        names.insert(given.name.clone(), name.clone());
    }
    names
}

/// Whether a value from outside may be put into the variable `name`.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    check_own(name)?;
    if ORDERS.contains(&name) || ORDERING.iter().any(|beginning| name.starts_with(beginning)) {
        return Err("a loader or an interpreter takes it for an order");
    }
    Ok(())
}

/// Whether the list itself may set the variable `name`.
pub(super) fn check_own(name: &str) -> Result<(), &'static str> {
    if !is_variable(name) {
        return Err("a name has up to 64 capital letters, digits and underscores, a letter first");
    }
    if OWN.contains(&name) {
        return Err("it is set for every program");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_orders_or_taken_are_refused() {
        for good in ["API_TOKEN", "X", "DB2_PASSWORD"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "lower",
            "A-B",
            "1A",
            "PATH",
            "LD_PRELOAD",
            "PYTHONPATH",
            "BASH_ENV",
            "NODE_OPTIONS",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&"A".repeat(65)).is_err());
    }

    #[test]
    fn a_secret_that_is_an_argument_is_a_mistake() {
        let list = |parameter: &str| {
            format!(
                "[[command]]\nname = \"x\"\ndescription = \"d\"\nprogram = \"/usr/bin/true\"\n\
                 arguments = [\"{{t}}\"]\nparameters = [{{ name = \"t\", type = \"string\", pattern = \".*\", bytes_max = 9{parameter} }}]\n"
            )
        };
        let told = |parameter: &str| match crate::allowlist::parse(&list(parameter)) {
            Ok(_) => String::new(),
            Err(mistakes) => mistakes.into_iter().map(|mistake| mistake.message).collect(),
        };
        assert_eq!(told(""), "");
        assert!(told(", secret = true").contains("must not be an argument"));
        let both = told(", secret = true, environment = \"T\"");
        assert!(both.contains("is an argument and in the environment"), "{both}");
    }
}
