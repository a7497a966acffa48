"""PET: what standardised uptake values are computed from. PS3.3 C.8.9."""

from __future__ import annotations

from volstream.headers.values import Attributes, integer, items, lenient, number, shared, text, texts
from volstream.records import Injection, PetInfo


def pet_info(attributes: Attributes) -> PetInfo | None:
    """One object for all instances that say the same; None for other modalities. What is damaged counts as absent."""
    if text(attributes, "Modality") != "PT":
        return None
    injections = tuple(map(_injection, items(attributes, "RadiopharmaceuticalInformationSequence")))
    return _pet_info(attributes | {"RadiopharmaceuticalInformationSequence": injections})


@shared(
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
)  # fmt: skip
def _injection(item: Attributes) -> Injection:
    return Injection(
        dose=lenient(number, item, "RadionuclideTotalDose"),
        half_life=lenient(number, item, "RadionuclideHalfLife"),
        start=text(item, "RadiopharmaceuticalStartDateTime"),
        start_time=text(item, "RadiopharmaceuticalStartTime"),
    )


@shared(
    "SpecificCharacterSet", "Manufacturer", "CorrectedImage", "DecayCorrection", "SUVType", "PatientWeight",
    "PatientSize", "PatientSex", "SeriesDate", "SeriesTime", "AcquisitionDate", "TimezoneOffsetFromUTC",
    "RadiopharmaceuticalInformationSequence", "GEPrivateCreator", "GEScanDateTime", "PhilipsPrivateCreator",
    "PhilipsSUVScaleFactor", "PhilipsActivityConcentrationScaleFactor", "NumberOfSlices",
)  # fmt: skip
def _pet_info(attributes: Attributes) -> PetInfo:
    is_ge = _wrote(attributes, "GEPrivateCreator", "GEMS_PETD_01", "GE")
    is_philips = _wrote(attributes, "PhilipsPrivateCreator", "Philips PET Private Group", "PHILIPS")
    activity = lenient(number, attributes, "PhilipsActivityConcentrationScaleFactor")
    return PetInfo(
        corrected=texts(attributes, "CorrectedImage"),
        decay_correction=text(attributes, "DecayCorrection"),
        suv_type=text(attributes, "SUVType"),
        weight=lenient(number, attributes, "PatientWeight"),
        size=lenient(number, attributes, "PatientSize"),
        sex=text(attributes, "PatientSex"),
        series_date=text(attributes, "SeriesDate"),
        series_time=text(attributes, "SeriesTime"),
        timezone=text(attributes, "TimezoneOffsetFromUTC"),
        injections=attributes["RadiopharmaceuticalInformationSequence"],
        ge_scan_start=text(attributes, "GEScanDateTime") if is_ge else "",
        philips_suv=lenient(number, attributes, "PhilipsSUVScaleFactor") if is_philips else None,
        philips_activity=activity if is_philips else None,
        slices=lenient(integer, attributes, "NumberOfSlices"),
        acquisition_date=text(attributes, "AcquisitionDate"),
    )


def _wrote(attributes: Attributes, keyword: str, creator: str, manufacturer: str) -> bool:
    """A private block is its creator's (PS3.5 7.8.1); where de-identification took that away, the manufacturer's."""
    found = text(attributes, keyword)
    return found == creator if found else text(attributes, "Manufacturer").upper().startswith(manufacturer)
