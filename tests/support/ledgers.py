"""What was offered is metered, written or counted: the identities that every dataset keeps."""


def unclosed(manifest):
    """The identities of a manifest that do not hold."""
    probe = manifest["probe"]
    collector = manifest["collector"]
    apart = sum(probe["packets_not_metered"].values()) + sum(probe["packets_lost"].values())
    lost = sum(probe["records_lost"].values())
    refused = sum(collector["records_refused"].values())
    kept_back = collector["records_not_selected"] + collector["records_not_first"]
    identities = {
        "packets": probe["packets_offered"] == probe["packets_metered"] + apart,
        "records": probe["records_created"] == collector["records_received"] + lost,
        "received": collector["records_received"]
        == collector["records_written"] + refused + kept_back,
        "file": manifest["file"]["records"] == collector["records_written"],
        "ends": sum(probe["flow_ends"].values()) == probe["records_created"],
    }
    return [name for name, holds in identities.items() if not holds]
