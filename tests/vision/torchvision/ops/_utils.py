import torch


def pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def as_rois(boxes):
    """A tensor (K, 5), or a list of boxes (K, 4) for each image."""
    if isinstance(boxes, torch.Tensor):
        return boxes
    ids = torch.cat([torch.full_like(b[:, :1], i) for i, b in enumerate(boxes)], dim=0)
    return torch.cat([ids, torch.cat(boxes, dim=0)], dim=1)
