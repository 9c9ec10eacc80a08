use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
#[aggregate_id(crat = ::annals)]
struct AccountId(String);

fn main() {}
