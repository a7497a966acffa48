"""Records -> what will be built: geometry, stacks and time points, values, order."""

from volstream.plan.build import build_plan
from volstream.plan.model import Geometry, Slot, VolumePlan
from volstream.plan.options import PlanOptions
from volstream.plan.suv import MEASURES

__all__ = ["MEASURES", "Geometry", "PlanOptions", "Slot", "VolumePlan", "build_plan"]
