//! The pages of the operations guide, with what their commands print.

use crate::guide::{Guide, Step};
use crate::program::{Serving, Shelf};

/// What a page works on.
struct Scene {
    shelf: Shelf,
    serving: Option<Serving>,
    backup: Vec<u8>,
}

impl Scene {
    async fn act(&mut self, what: &str) {
        let words: Vec<&str> = what.split_whitespace().collect();
        match words[..] {
            ["serve"] => self.serving = Some(self.shelf.serve(&[])),
            ["serve", "mended"] => self.serving = Some(self.shelf.serve(&["--mended"])),
            ["stop"] => self.serving.take().expect("it serves").stop(),
            ["kill"] => self.serving.take().expect("it serves").kill(),
            ["add", book, title] => drop(self.shelf.add(book, title).await),
            ["lend", book, to] => drop(self.shelf.lend(book, to).await),
            ["borrow", id, reader] => drop(self.shelf.borrow(id, reader).await),
            ["until", count, "parked"] => {
                let count: usize = count.parse().expect("a number");
                let is_so = |found: &serde_json::Value| {
                    found["parked"].as_array().is_some_and(|parked| parked.len() == count)
                };
                self.shelf.until("parked list", is_so).await;
            }
            ["until", "processes", "done"] => {
                let is_so = |all: &serde_json::Value| {
                    let one = &all["processes"][0];
                    one["state"] == "running" && one["behind"] == 0 && one["unsent"] == 0
                };
                // What a step has appended may come to light only with the next look.
                loop {
                    let once = self.shelf.until("processes list", is_so).await;
                    let twice = self.shelf.until("processes list", is_so).await;
                    if once["head"] == twice["head"] {
                        break;
                    }
                }
            }
            ["until", name, state] => {
                let is_so = |all: &serde_json::Value| {
                    let one = &all["projections"][0];
                    one["state"] == state || (state == "done" && one["behind"] == 0)
                };
                self.shelf.until(&format!("projections status {name}"), is_so).await;
            }
            ["backup"] => self.backup = self.shelf.dumped(),
            ["restore"] => self.shelf = Shelf::restored(std::mem::take(&mut self.backup)).await,
            ["sql", ..] => {
                let statement = what.strip_prefix("sql ").expect("it begins so").to_owned();
                let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
                done.execute(self.shelf.store.pool()).await.expect("the statement is right");
            }
            _ => panic!("nobody knows how to do `{what}`"),
        }
    }
}

async fn check(page: &str) {
    let guide = Guide::read(page);
    let mut scene = Scene { shelf: Shelf::new().await, serving: None, backup: Vec::new() };
    let mut printed = Vec::new();
    for step in guide.steps() {
        match step {
            Step::Do(what) => scene.act(&what).await,
            Step::Run(command) => {
                let words: Vec<&str> = command.split_whitespace().collect();
                let ["shelf", "operate", arguments @ ..] = &words[..] else {
                    panic!("`{command}` is no command of the shelf");
                };
                let answered = scene.shelf.operate_with(arguments);
                printed.push(format!("{}{}", answered.out, answered.errors));
            }
        }
    }
    guide.compare(printed);
}

macro_rules! pages {
    ($($name:ident $page:literal)+) => { $(
        #[tokio::test]
        async fn $name() {
            check(concat!("operations/", $page)).await;
        }
    )+ };
}

pages! {
    a_projection_is_behind "behind.md"
    a_projection_has_parked_events "parked.md"
    an_event_cannot_be_read "unreadable.md"
    a_projection_is_rebuilt "rebuilt.md"
    a_database_was_restored "restored.md"
    a_disk_fills "disk-filling.md"
    a_node_is_lost "node-lost.md"
}
