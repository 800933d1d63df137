//! From checked values to a program's arguments. Nothing is ever split, joined or interpreted.

use super::{Argument, Command, Does};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use wardroom_core::command::{ParameterKind, ParameterValue, Parameters, PathEntry};

/// A value that does not hold at the moment of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {parameter}: {reason}")]
pub struct Refused {
    /// The parameter.
    pub parameter: String,
    /// What is wrong.
    pub reason: String,
}

/// What a command's values come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The program's arguments.
    pub arguments: Vec<String>,
    /// What is added to its environment.
    pub environment: BTreeMap<String, String>,
    /// The roots beneath which the paths among the values lie: what the sandbox must let through.
    pub roots: Vec<PathBuf>,
}

/// What these values come to.
pub fn resolve(command: &Command, values: &Parameters) -> Result<Resolved, Refused> {
    let Does::Program { arguments, flags, environment, .. } = &command.does else {
        return Ok(Resolved::default());
    };
    let mut paths = Vec::new();
    for parameter in &command.spec.parameters {
        let ParameterKind::Path { roots, entry } = &parameter.kind else { continue };
        let Some(ParameterValue::Text(path)) = values.get(&parameter.name) else { continue };
        let root = beneath(path, roots, *entry)
            .map_err(|reason| Refused { parameter: parameter.name.clone(), reason })?;
        // SECURITY: the root and not the path. A path is looked up again when the sandbox is built, and
        // a symbolic link that somebody planted there meanwhile would be followed to wherever it
        // leads. The root is opened as the list names it, without following any link; a link beneath it
        // that leads out of it is then refused by the kernel when the program opens it.
        paths.push(PathBuf::from(root));
    }
    let mut resolved = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            Argument::Fixed(text) => resolved.push(text.clone()),
            Argument::Value { prefix, parameter } => {
                fill(prefix, parameter, values, flags, &mut resolved)
            }
        }
    }
    let environment = environment.iter().filter_map(|(parameter, name)| {
        let value = match values.get(parameter)? {
            ParameterValue::Text(text) => text.clone(),
            ParameterValue::Integer(number) => number.to_string(),
            ParameterValue::Flag(_) => return None,
        };
        Some((name.clone(), value))
    });
    Ok(Resolved { arguments: resolved, environment: environment.collect(), roots: paths })
}

fn fill(
    prefix: &str,
    parameter: &str,
    values: &Parameters,
    flags: &BTreeMap<String, Vec<String>>,
    resolved: &mut Vec<String>,
) {
    match values.get(parameter) {
        Some(ParameterValue::Text(text)) => resolved.push(format!("{prefix}{text}")),
        Some(ParameterValue::Integer(number)) => resolved.push(format!("{prefix}{number}")),
        Some(ParameterValue::Flag(true)) => {
            resolved.extend(flags.get(parameter).into_iter().flatten().cloned())
        }
        Some(ParameterValue::Flag(false)) | None => {}
    }
}

/// Resolves a path beneath its root without following a single symbolic link; gives the root. This is
/// so at the moment of the check. The program opens the path by itself later: by then somebody who may
/// write beneath the root can have put another file, or a link to one beneath the same root, in its
/// place. What lies beneath a root is therefore to be taken as readable as a whole.
fn beneath<'a>(path: &str, roots: &'a [String], entry: PathEntry) -> Result<&'a str, String> {
    let root = roots
        .iter()
        .filter(|root| Path::new(path).starts_with(root))
        .max_by_key(|root| root.len())
        .ok_or("it is beneath none of its roots")?;
    let rest = Path::new(path).strip_prefix(root).map_err(|error| error.to_string())?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let folder = openat2(
        rustix::fs::CWD,
        root.as_str(),
        flags | OFlags::DIRECTORY,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    )
    .map_err(|error| match error {
        rustix::io::Errno::LOOP => {
            format!(
                "a symbolic link stands in its root {root}: the allow-list must name the real path"
            )
        }
        error => format!("its root {root} can't be opened: {error}"),
    })?;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found =
        openat2(&folder, rest, flags, Mode::empty(), resolve).map_err(|error| match error {
            rustix::io::Errno::LOOP => "a symbolic link stands in the path".to_owned(),
            rustix::io::Errno::XDEV => "it leads out of its root".to_owned(),
            error => error.to_string(),
        })?;
    let kind = FileType::from_raw_mode(fstat(&found).map_err(|error| error.to_string())?.st_mode);
    match (entry, kind) {
        (PathEntry::File, FileType::RegularFile)
        | (PathEntry::Directory, FileType::Directory)
        | (PathEntry::Any, FileType::RegularFile | FileType::Directory) => Ok(root),
        (PathEntry::File, _) => Err("it is not a regular file".into()),
        (PathEntry::Directory, _) => Err("it is not a folder".into()),
        (PathEntry::Any, _) => Err("it is neither a regular file nor a folder".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn symbolic_links_and_escapes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("good"), "x").unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        let roots = vec![root.display().to_string()];
        let check =
            |name: &str, entry| beneath(&format!("{}/{name}", root.display()), &roots, entry);
        assert_eq!(check("good", PathEntry::File), Ok(roots[0].as_str()));
        assert!(check("good", PathEntry::Directory).is_err());
        assert!(check("link", PathEntry::Any).unwrap_err().contains("symbolic link"));
        assert!(check("missing", PathEntry::Any).is_err());
        assert!(check("../secret", PathEntry::Any).is_err());
    }
}
