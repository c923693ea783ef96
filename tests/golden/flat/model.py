"""All layers in one class and one forward: a net without hierarchy, as in many a first project."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.conv3 = nn.Conv2d(32, 32, 3)
        self.bn = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        self.scale = nn.Parameter(torch.ones(10))

    def forward(self, x):
        x = (x - 0.1307) / 0.3081
        x = self.pool(F.relu(self.conv1(x)))
        skip = F.relu(self.conv2(x))
        # the same layer twice, so that its weights are shared
        x = F.relu(self.conv3(F.pad(skip, (1, 1, 1, 1))))
        x = F.relu(self.conv3(F.pad(x, (1, 1, 1, 1))))
        x = self.bn(x + skip)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=0)
        x = torch.flatten(x, 1)
        x = F.dropout(F.relu(self.fc1(x)), p=0.5, training=self.training)
        x = torch.tanh(self.fc2(x))
        logits = self.fc3(x) * self.scale
        return F.log_softmax(logits, dim=1)
