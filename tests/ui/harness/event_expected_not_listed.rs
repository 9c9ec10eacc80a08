use annals::prelude::*;
use annals_testing::given_nothing;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[handle]
    fn open(_: Open) -> Opened {
        Opened
    }
}

fn main() {
    given_nothing::<Account>().when(Open("ada".into())).then(Closed);
}
