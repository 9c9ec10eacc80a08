//! Shipping: a saga against a carrier and a warehouse, which know nothing of events; who begins it, and what follows its end.

use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::{OrderId, RecordFailedShipment, RecordShipment, ShippingBegun};
use crate::outside::{Fails, Outside};

/// One parcel on its way to the carrier: what the steps have come to so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shipment {
    order: OrderId,
    parcel: Option<String>,
    picked: Option<String>,
}

/// How long the carrier or the warehouse may take to answer; then they are asked again.
const ANSWER: Duration = Duration::from_secs(10);

/// Has a parcel booked, picked and handed over; what is done is undone when a later step fails.
pub(crate) struct Delivery;

#[saga(name = "delivery", data = Shipment, services = Outside)]
impl Delivery {
    #[step(undo = cancel, retries = 2, timeout = ANSWER)]
    async fn book(
        shipment: &mut Shipment,
        outside: &Outside,
        cx: &StepContext,
    ) -> Result<(), Fails> {
        shipment.parcel = Some(outside.carrier.take("book", cx.idempotency_key()).await?);
        Ok(())
    }

    async fn cancel(shipment: &Shipment, outside: &Outside) -> Result<(), Fails> {
        outside.carrier.give_up("cancel", shipment.parcel.as_deref()).await
    }

    #[step(undo = put_back, retries = 2, timeout = ANSWER)]
    async fn pick(
        shipment: &mut Shipment,
        outside: &Outside,
        cx: &StepContext,
    ) -> Result<(), Fails> {
        shipment.picked = Some(outside.warehouse.take("pick", cx.idempotency_key()).await?);
        Ok(())
    }

    async fn put_back(shipment: &Shipment, outside: &Outside) -> Result<(), Fails> {
        outside.warehouse.give_up("put_back", shipment.picked.as_deref()).await
    }

    #[step(retries = 2, timeout = ANSWER)]
    async fn hand_over(_: &Shipment, outside: &Outside) -> Result<(), Fails> {
        outside.carrier.ask("hand_over").await
    }
}

/// Begins the saga when staff have an order shipped, and tells the order how it ended.
pub(crate) struct Shipping;

#[reactor(name = "shipping", services = SagaRunner)]
impl Shipping {
    /// Begun again under its id, it is the same saga: each attempt of an order has one of its own.
    #[on]
    async fn begun(event: &ShippingBegun, cx: &EventContext<Self>) -> Result<(), SagaError> {
        let order = OrderId::from(cx.stream_id().id());
        let id = format!("{order}.{}", event.attempt);
        let shipment = Shipment { order, parcel: None, picked: None };
        cx.services().begin::<Delivery>(id, shipment).caused_by(cx).await
    }

    #[on(key = |event| event.id_of::<Delivery>().map(str::to_owned))]
    async fn ended(
        event: &SagaEnded,
    ) -> Result<(Option<RecordShipment>, Option<RecordFailedShipment>), DecodeError> {
        let Shipment { order, parcel, .. } = event.data::<Delivery>()?;
        Ok(match (&event.outcome, parcel) {
            (SagaOutcome::Completed, Some(tracking)) => {
                (Some(RecordShipment { order, tracking }), None)
            }
            (outcome, _) => {
                let reason = match outcome {
                    SagaOutcome::Compensated { failed_step, error, .. }
                    | SagaOutcome::Dropped { failed_step, error, .. } => {
                        format!("{failed_step}: {error}")
                    }
                    _ => "it ended otherwise".to_owned(),
                };
                (None, Some(RecordFailedShipment { order, reason }))
            }
        })
    }
}
