"""An image and a vector, such as a face crop and its pose: joined before the last layers."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TwoInputNet(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.embed = nn.Linear(20, 32)
        self.fc1 = nn.Linear(64, 64)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, image, vector):
        x = F.leaky_relu(self.bn1(self.conv1(image)), 0.1)
        x = F.max_pool2d(x, 2)
        x = F.leaky_relu(self.bn2(self.conv2(x)), 0.1)
        x = self.pool(x).flatten(1)
        y = torch.tanh(self.embed(vector))
        z = torch.cat([x, y], dim=1)
        z = self.drop(F.relu(self.fc1(z)))
        return self.fc2(z)
