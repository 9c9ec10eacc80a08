//! Where the programs of PostgreSQL are on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where Debian and its kin keep each version's programs, out of `PATH`.
const VERSIONED: &str = "/usr/lib/postgresql";

/// Finds the folder that holds `initdb` and `postgres`.
pub(super) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    in_path(&path).or_else(|| newest_in(Path::new(VERSIONED))).or_else(told_by_pg_config)
}

fn in_path(path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).find(|folder| has_programs(folder))
}

/// The highest version in a folder of versions, by number: 9.6 is older than 15.
fn newest_in(versions: &Path) -> Option<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(versions)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let version: Result<_, _> = name.to_str()?.split('.').map(str::parse).collect();
            Some((version.ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_programs(folder))
        .collect();
    found.sort_unstable();
    found.pop().map(|(_, folder)| folder)
}

fn told_by_pg_config() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(told.stdout).ok()?.trim());
    has_programs(&folder).then_some(folder)
}

fn has_programs(folder: &Path) -> bool {
    folder.is_absolute() && ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_newest_whole_version_is_taken() {
        let versions = env::temp_dir().join(format!("annals-binaries-{}", Uuid::now_v7()));
        for (version, programs) in [
            ("9.6", &["initdb", "postgres"][..]),
            ("14", &["initdb", "postgres"]),
            ("15", &["initdb", "postgres"]),
            ("16", &["initdb"]),
            ("common", &["initdb", "postgres"]),
        ] {
            let folder = versions.join(version).join("bin");
            fs::create_dir_all(&folder).unwrap();
            for program in programs {
                fs::write(folder.join(program), "").unwrap();
            }
        }
        let newest = newest_in(&versions);
        let path = env::join_paths([versions.join("16/bin"), versions.join("14/bin")]).unwrap();
        let first_whole = in_path(&path);
        fs::remove_dir_all(&versions).unwrap();
        assert_eq!(newest, Some(versions.join("15/bin")));
        assert_eq!(first_whole, Some(versions.join("14/bin")));
        assert_eq!(newest_in(&versions), None);
    }
}
