//! Commands: they have no version, and have to read what they read before.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};

use crate::{check, check_adds};

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
pub struct DoorId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct DoorMoved;

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = DoorId, events(DoorMoved))]
pub struct Door;

/// A command of one release: its name, and its fields beside the id.
macro_rules! command {
    ($method:ident $module:ident $name:ident { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, Command)]
            pub struct $name {
                #[command(id)]
                pub door: DoorId,
                $($field)*
            }
        }

        #[handlers]
        impl Door {
            #[handle(upsert)]
            fn $method(_: Option<&Self>, _: $module::$name) -> DoorMoved {
                DoorMoved
            }
        }
    };
}

command!(before before Move { pub by: u32 });
command!(required required Move { pub by: u32, pub speed: u32 });
command!(optional optional Move { pub by: u32, pub speed: Option<u32> });
command!(renamed renamed Push { pub by: u32 });
command!(pulled pulled Pull { pub by: u32 });
command!(picky picky Move { pub by: std::num::NonZeroU32 });

#[handlers]
impl Door {
    #[apply(upsert)]
    fn moved(_: Option<Self>, _: &DoorMoved) -> Self {
        Self
    }
}

fn one<C: HandledBy<Door>>() -> Schema {
    Schema::new().with_command::<Door, C>()
}

#[test]
fn a_field_that_callers_do_not_send() {
    check(
        &one::<before::Move>(),
        &one::<required::Move>(),
        FindingKind::CommandChanged,
        "command `Move` does not read what it read before
    changed: `$.speed` is new, and has to be there: u32
    breaks:  {\"by\":1,\"door\":\"a\"} does not read: Move: missing field `speed`
    write:   #[serde(default)] on a field that is new, #[serde(alias = \"…\")] on one that is renamed
             or a new command beside it, under another name",
    );
}

#[test]
fn a_field_that_need_not_be_sent() {
    check_adds(
        &one::<before::Move>(),
        &one::<optional::Move>(),
        &["command `Move`: what it reads"],
    );
    let accepted = one::<optional::Move>().held_against(&one::<before::Move>().to_file()).accepted;
    assert_eq!(accepted.commands["Move"].made.len(), 7, "the kept ones, and those with all");
}

#[test]
fn a_struct_renamed_without_pinning_the_name() {
    check(
        &one::<before::Move>(),
        &one::<renamed::Push>(),
        FindingKind::CommandRenamed,
        "command `Move` is not there any more; `schema::commands::renamed::Push` looks like it
    changed: the name was `Move`, is `Push`
    breaks:  who sends `Move` is refused; so is what waits in a queue
    write:   #[command(name = \"Move\")] on `Push`",
    );
}

#[test]
fn of_several_that_may_have_taken_the_place_none_is_guessed() {
    check(
        &one::<before::Move>(),
        &one::<renamed::Push>().with_command::<Door, pulled::Pull>(),
        FindingKind::CommandVanished,
        "nothing handles command `Move` any more; `Pull` or `Push` may have taken its place
    breaks:  who sends `Move` is refused; so is what waits in a queue
    write:   #[command(name = \"Move\")] on the one that it became
             or a #[handle] for it again, with #[command(name = \"Move\")]",
    );
}

#[test]
fn a_made_command_that_a_picky_type_refuses_can_be_replaced() {
    let mut file = one::<before::Move>().to_file();
    let found = one::<picky::Move>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::CommandChanged, "{found}");
    assert_eq!(
        found.findings[0].write.last().unwrap(),
        "or, if the like was never sent, replace the made sample in the schema file at `commands` / `Move` / `made` by one as it was \
         really sent, in `samples` beside it"
    );
    let kept = file.commands.get_mut("Move").unwrap();
    kept.made.clear();
    kept.samples = vec![r#"{"door":"front","by":3}"#.parse().unwrap()];
    let found = one::<picky::Move>().held_against(&file);
    assert!(found.is_unchanged(), "{found}");
}

#[test]
fn a_command_that_is_gone_and_one_that_is_new() {
    check(
        &one::<before::Move>(),
        &Schema::new(),
        FindingKind::CommandVanished,
        "nothing handles command `Move` any more
    breaks:  who sends `Move` is refused; so is what waits in a queue
    write:   a #[handle] for it again, with #[command(name = \"Move\")]",
    );
    check_adds(&Schema::new(), &one::<before::Move>(), &["command `Move`"]);
}

#[test]
fn two_commands_of_one_name() {
    let schema = one::<before::Move>().with_command::<Door, optional::Move>();
    let comparison = schema.held_against(&schema.to_file());
    assert_eq!(
        comparison.to_string(),
        "the name of command `Move` stands for both `schema::commands::before::Move` and `schema::commands::optional::Move`
    breaks:  what is stored as `Move` may be read as either
    write:   #[command(name = \"…\")] on the one that was stored under another name"
    );
}
