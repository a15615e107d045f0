"""The eleven data sets of the many-shot protocol (Ericsson, Gouk, Hospedales: How Well Do Self-Supervised Models
Transfer?, CVPR 2021), by their names in `tasks`.
"""

from sdr.tasks.readers.by_torchvision import AIRCRAFT, CARS, DTD, FLOWERS, FOOD, PETS
from sdr.tasks.readers.caltech101 import CALTECH101
from sdr.tasks.readers.cifar import CIFAR10, CIFAR100
from sdr.tasks.readers.reader import Reader
from sdr.tasks.readers.sun397 import SUN397
from sdr.tasks.readers.voc2007 import VOC2007

READERS: dict[str, Reader] = {
    "aircraft": AIRCRAFT,
    "caltech101": CALTECH101,
    "cars": CARS,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "dtd": DTD,
    "flowers": FLOWERS,
    "food": FOOD,
    "pets": PETS,
    "sun397": SUN397,
    "voc2007": VOC2007,
}
