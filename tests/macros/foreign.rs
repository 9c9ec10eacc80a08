//! An aggregate whose id, events and commands are all types of another crate, listed by path and under another name.

use annals::prelude::*;
use annals::process::CommandEnum;
use annals_testing::{given, given_nothing, recorded};
use annals_tests_foreign as parcels;
use annals_tests_foreign::{
    DeliverParcel, ParcelDelivered, ParcelSent, ParcelWeighed, SendParcel, WeighParcel, Weighed,
};

use serde::{Deserialize, Serialize};

use crate::fold::fold;
use crate::processes::run::Run;
use crate::reactors::{react, routed};

#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(
    id = parcels::ParcelId,
    events(ParcelSent, parcels::ParcelDelivered as Delivered),
    category = "sent_parcel"
)]
enum Parcel {
    UnderWay { to: String },
    Delivered,
}

#[handlers]
impl Parcel {
    #[handle]
    fn send(command: parcels::SendParcel) -> parcels::ParcelSent {
        parcels::ParcelSent { to: command.to }
    }

    #[apply]
    fn sent(event: &parcels::ParcelSent) -> Self {
        Self::UnderWay { to: event.to.clone() }
    }

    #[handle]
    fn deliver(&self, _: DeliverParcel) -> Option<ParcelDelivered> {
        matches!(self, Self::UnderWay { .. }).then_some(ParcelDelivered)
    }

    #[apply]
    fn delivered(self, _: &ParcelDelivered) -> Self {
        Self::Delivered
    }
}

struct Post;

#[reactor(name = "foreign_post")]
impl Post {
    #[on(key = to)]
    async fn sent(_: &parcels::ParcelSent, cx: &EventContext<Self>) -> parcels::DeliverParcel {
        DeliverParcel { parcel: cx.stream_id().id().into() }
    }
}

#[test]
fn reactors_of_another_crate_and_of_its_types() {
    let weighed = || recorded::<Weighed>("p-1", ParcelWeighed { grams: 20.0 });
    assert_eq!(react::<parcels::Scales>(30, &weighed()).unwrap().len(), 0);
    assert_eq!(react::<parcels::Scales>(10, &weighed()).unwrap().len(), 1);
    let sent = recorded::<Parcel>("p-1", ParcelSent { to: "Delft".into() });
    assert_eq!(routed::<Post>((), &sent), ["Delft"]);
    assert_eq!(react::<Post>((), &sent).unwrap().len(), 1);
}

#[test]
fn types_of_another_crate_serve() {
    let sent = ParcelSent { to: "Delft".into() };
    given_nothing::<Parcel>()
        .when(SendParcel { parcel: "p-1".into(), to: "Delft".into() })
        .then(sent.clone())
        .when(DeliverParcel { parcel: "p-1".into() })
        .then(ParcelDelivered)
        .when(DeliverParcel { parcel: "p-1".into() })
        .then_nothing();
    let parcel = fold::<Parcel>("p-1".into(), (sent, ParcelDelivered)).unwrap();
    assert_eq!(parcel, Some(Parcel::Delivered));
    let event = ParcelEvent::from(ParcelDelivered);
    assert!(matches!(event, ParcelEvent::Delivered(ParcelDelivered)));
    assert_eq!(event.event_type(), "ParcelDelivered");
}

#[test]
fn so_does_an_aggregate_of_another_crate() {
    given::<Weighed>(ParcelWeighed { grams: 20.0 })
        .when(WeighParcel { parcel: "p-1".into(), grams: 20.5 })
        .then_nothing()
        .when(WeighParcel { parcel: "p-1".into(), grams: 30.0 })
        .then(ParcelWeighed { grams: 30.0 });
}

/// A process of events, commands and an id of another crate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(
    name = "parcel_on_its_way",
    id = parcels::ParcelId,
    sends(parcels::DeliverParcel, WeighParcel as Weigh)
)]
struct OnItsWay;

#[process]
impl OnItsWay {
    #[on(from = Parcel)]
    fn sent(_: &parcels::ParcelSent, cx: &EventContext<Self>) -> (Self, [OnItsWayCommand; 2]) {
        let parcel = cx.id().clone();
        let weigh = WeighParcel { parcel: parcel.clone(), grams: 1.0 };
        (Self, [weigh.into(), DeliverParcel { parcel }.into()])
    }

    #[rejected]
    fn not_delivered(self, _: &parcels::DeliverParcel) -> Done<()> {
        Done(())
    }
}

#[test]
fn so_do_commands_of_another_crate() {
    let run = Run::of::<OnItsWay>("p-1");
    let run = run.when(recorded::<Parcel>("p-1", ParcelSent { to: "Delft".into() }));
    assert_eq!(run.names(), ["WeighParcel", "DeliverParcel"]);
    let weigh = OnItsWayCommand::Weigh(WeighParcel { parcel: "p-1".into(), grams: 1.0 });
    assert_eq!(weigh.content().unwrap(), run.sent[0].1);
}

#[test]
fn so_does_a_process_of_another_crate() {
    let run = Run::of::<parcels::Weighing>("p-1");
    let mut run = run.when(recorded::<Weighed>("p-1", ParcelWeighed { grams: 20.0 }));
    assert_eq!(run.names(), ["WeighParcel"]);
    assert_eq!(run.state(), Some(parcels::Weighing { times: 1 }));
    let run = run.when_due("waited");
    assert_eq!(run.names(), ["DeliverParcel"]);
    assert_eq!(parcels::Weighing::WAITED.as_str(), "waited");
}
