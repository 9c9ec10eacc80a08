//! Every way in which a marked method takes the state, and an aggregate that ends and begins again.

use annals::Misfit;
use annals::prelude::*;
use annals_testing::{given, given_nothing};
use serde::{Deserialize, Serialize};

use crate::fold::fold;

/// Events, each with a number.
macro_rules! events {
    ($($name:ident)*) => {
        $(
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            struct $name(u32);
        )*
    };
}

events!(Founded Revived Added Doubled Set Replaced Halved Ended Kept);

/// What an apply may write where it returns nothing.
type Nothing = ();

/// The number, and what the last apply was told about its event.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = String, events(Founded, Revived, Added, Doubled, Set, Replaced, Halved, Ended, Kept))]
struct Sum {
    sum: u32,
    id: String,
}

#[handlers]
impl Sum {
    #[apply]
    fn begun(event: &Founded) -> Self {
        Self { sum: event.0, id: String::new() }
    }

    #[apply]
    fn revived(event: &Revived, cx: &EventContext<Self>) -> Option<Self> {
        (event.0 > 0).then(|| Self { sum: event.0, id: cx.id().clone() })
    }

    #[apply]
    fn added(&mut self, event: &Added) {
        self.sum += event.0;
    }

    #[apply]
    fn doubled(&mut self, _: &Doubled, cx: &EventContext<Self>) -> Nothing {
        self.sum *= 2;
        self.id.clone_from(cx.key());
    }

    #[apply(upsert)]
    fn set(sum: Option<Self>, event: &Set) -> Self {
        Self { sum: event.0, id: sum.map(|sum| sum.id).unwrap_or_default() }
    }

    #[apply]
    fn replaced(self, event: &Replaced, cx: &EventContext<Self>) -> Self {
        Self { sum: event.0, id: cx.id().clone() }
    }

    #[apply]
    fn halved(mut self, _: &Halved) -> Self {
        self.sum /= 2;
        self
    }

    #[apply]
    fn ended(self, _: &Ended) -> Option<Self> {
        None
    }

    #[apply(upsert)]
    fn kept(sum: Option<Self>, event: &Kept, _: &EventContext<Self>) -> Option<Self> {
        sum.filter(|sum| sum.sum > event.0)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Begin(#[command(id)] String, u32);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct BeginLater(#[command(id)] String);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Add(#[command(id)] String, u32);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct AddLater(#[command(id)] String);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct SetIt(#[command(id)] String);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct SetLater(#[command(id)] String);
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct End(#[command(id)] String);

#[handlers]
impl Sum {
    #[handle]
    fn begin(command: Begin) -> Founded {
        Founded(command.1)
    }

    #[handle]
    async fn begin_later(_: BeginLater, cx: &Context<Self>) -> Founded {
        Founded(u32::try_from(cx.id().len()).unwrap())
    }

    #[handle]
    fn add(&self, command: Add, cx: &Context<Self>) -> Added {
        assert!(cx.stream_version() > 0);
        Added(command.1)
    }

    #[handle]
    async fn add_later(&self, _: AddLater) -> Added {
        Added(self.sum)
    }

    #[handle(upsert)]
    fn set_it(sum: Option<&Self>, _: SetIt, _: &Context<Self>) -> Set {
        Set(sum.map_or(1, |sum| sum.sum + 1))
    }

    #[handle(upsert)]
    async fn set_later(sum: Option<&Self>, _: SetLater) -> Set {
        Set(sum.map_or(1, |sum| sum.sum + 1))
    }

    #[handle]
    fn end(&self, _: End) -> Ended {
        Ended(self.sum)
    }
}

fn sum(events: impl annals::IntoEvents<Sum>) -> Result<Option<u32>, Misfit> {
    fold::<Sum>("s".into(), events).map(|sum| sum.map(|sum| sum.sum))
}

#[test]
fn applies() {
    assert_eq!(sum((Founded(1), Added(2), Doubled(0))), Ok(Some(6)));
    assert_eq!(sum((Founded(9), Halved(0))), Ok(Some(4)));
    assert_eq!(sum((Founded(9), Replaced(3))), Ok(Some(3)));
    assert_eq!(sum((Founded(1), Set(8))), Ok(Some(8)));
    assert_eq!(sum(Set(8)), Ok(Some(8)));
    assert_eq!(sum((Founded(9), Kept(8))), Ok(Some(9)));
    assert_eq!(sum((Founded(9), Kept(9))), Ok(None));
    assert_eq!(sum(Kept(9)), Ok(None));
    assert_eq!(sum(Revived(0)), Ok(None));
    let told = fold::<Sum>("s".into(), (Founded(1), Doubled(0))).unwrap().unwrap();
    assert_eq!(told.id, "s");
}

#[test]
fn what_creates_wants_no_state_and_what_changes_wants_one() {
    assert_eq!(sum((Founded(1), Founded(1))), Err(Misfit::Exists));
    assert_eq!(sum((Founded(1), Revived(1))), Err(Misfit::Exists));
    assert_eq!(sum(Added(1)), Err(Misfit::Missing));
    assert_eq!(sum(Halved(1)), Err(Misfit::Missing));
    assert_eq!(sum(Ended(1)), Err(Misfit::Missing));
}

#[test]
fn what_has_ended_is_gone_and_may_begin_again() {
    assert_eq!(sum((Founded(1), Ended(0))), Ok(None));
    assert_eq!(sum((Founded(1), Ended(0), Added(1))), Err(Misfit::Missing));
    assert_eq!(sum((Founded(1), Ended(0), Founded(5))), Ok(Some(5)));
    assert_eq!(sum((Founded(1), Ended(0), Revived(7))), Ok(Some(7)));
    given::<Sum>((Founded(1), Ended(1)))
        .when(Add("s".into(), 1))
        .then_not_found()
        .when(Begin("s".into(), 3))
        .then(Founded(3))
        .then_state(|sum| assert_eq!(sum.sum, 3))
        .when(End("s".into()))
        .then(Ended(3));
}

#[test]
fn handlers_of_every_receiver() {
    given_nothing::<Sum>().when(Begin("s".into(), 4)).then(Founded(4));
    given_nothing::<Sum>().when(BeginLater("four".into())).then(Founded(4));
    given_nothing::<Sum>().when(SetIt("s".into())).then(Set(1));
    given_nothing::<Sum>().when(SetLater("s".into())).then(Set(1));
    given_nothing::<Sum>().when(Add("s".into(), 1)).then_not_found();
    given_nothing::<Sum>().when(AddLater("s".into())).then_not_found();
    let begun = || given::<Sum>(Founded(2));
    begun().when(Begin("s".into(), 4)).then_already_exists();
    begun().when(BeginLater("s".into())).then_already_exists();
    begun().when(Add("s".into(), 3)).then(Added(3));
    begun().when(AddLater("s".into())).then(Added(2));
    begun().when(SetIt("s".into())).then(Set(3));
    begun().when(SetLater("s".into())).then(Set(3));
}
